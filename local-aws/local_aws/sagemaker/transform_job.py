"""A batch transform job while it runs: the model's container is started, and answers the records of every input object.

Instances beyond the first are not started: they would share this machine with it.
"""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import urllib3

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.logs import Forwarder
from local_aws.principal import acting_as
from local_aws.sagemaker import execution_role, models, s3_io
from local_aws.sagemaker.serving_process import ServingProcess, StartFailed, Variant
from local_aws.sagemaker.transform_records import RecordTooLarge, assemble, payloads
from local_aws.store import now

_LOG = logging.getLogger(__name__)
KIND = "transform_job"
LOG_GROUP = "/aws/sagemaker/TransformJobs"
_STARTUP_SECONDS = 600.0
_MB = 1024 * 1024
_SHOWN_BYTES = 300


class TransformFailed(Exception):
    """An input object that could not be transformed; the message is a FailureReason."""


class _Stopped(Exception):
    """The job is to end without a result."""


class TransformContainer(ServingProcess):
    """The model's container, serving this job alone and logging under its name."""

    def __init__(self, cloud: Cloud, job: str, variant: Variant) -> None:
        self._job = job
        super().__init__(cloud, f"transform-{job}", variant)

    @property
    def log_group(self) -> str:
        return LOG_GROUP

    @property
    def log_stream(self) -> str:
        return f"{self._job}/{self.instance}"


class TransformJob:
    """One job; `run` carries it out to its end and records how it ended."""

    def __init__(self, cloud: Cloud, described: dict[str, Any]) -> None:
        self._cloud = cloud
        self._described = described
        self._name = described["TransformJobName"]
        self._stop = threading.Event()
        self._container: TransformContainer | None = None
        self._folder = cloud.settings.home / "jobs" / KIND / self._name
        self._data_log = cloud.settings.home / "logs" / KIND / self._name / "data.log"

    def stop(self) -> None:
        """End the job: the container goes, and calls in flight with it."""
        self._stop.set()
        if self._container is not None:
            self._container.stop()

    def run(self) -> None:
        """Transform every input object; the job's description says how it went."""
        self._update(TransformStartTime=now())
        end: dict[str, Any] = {"TransformJobStatus": "Completed"}
        try:
            role = models.find(self._cloud, self._described["ModelName"]).get("ExecutionRoleArn")
            with acting_as(execution_role.session(role)):
                self._transform()
        except _Stopped:
            end = {"TransformJobStatus": "Stopped"}
        except (TransformFailed, s3_io.DownloadFailed, s3_io.UploadFailed, StartFailed, AwsError) as error:
            end = {"TransformJobStatus": "Failed", "FailureReason": str(error)[:1024]}
        # A fault of our own: the job still ends, and says so.
        except Exception as error:
            _LOG.exception("transform_job %s", self._name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
            end = {"TransformJobStatus": "Failed", "FailureReason": reason[:1024]}
        finally:
            if self._container is not None and not self._stop.is_set():
                self._container.stop()
            shutil.rmtree(self._folder, ignore_errors=True)
        # While the cloud goes down the job stays as it is: the next start finds it interrupted.
        if not self._cloud.stopping.is_set():
            self._update(**({"TransformJobStatus": "Stopped"} if self._stop.is_set() else end), TransformEndTime=now())

    def _transform(self) -> None:
        inputs = self._folder / "inputs"
        self._bring(inputs)
        container = self._start_container()
        self._data_log.parent.mkdir(parents=True, exist_ok=True)
        self._data_log.touch()
        log = Forwarder(self._cloud, LOG_GROUP, f"{container.log_stream}/data-log", self._data_log).start()
        failures: list[str] = []
        try:
            for file in sorted(path for path in inputs.rglob("*") if path.is_file()):
                # An object that fails keeps no other from its result.
                try:
                    self._transform_object(container, file, file.relative_to(inputs))
                except TransformFailed as error:
                    failures.append(str(error))
                    self._note(f"{file.relative_to(inputs)}: {error}")
        finally:
            log.finish()
        if failures:
            raise TransformFailed(failures[0])

    def _start_container(self) -> TransformContainer:
        described = self._described
        model = models.served(self._cloud, described["ModelName"])
        environment = {
            **model.environment,
            **described.get("Environment", {}),
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_BATCH_STRATEGY": described["BatchStrategy"],
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(described["MaxPayloadInMB"]),
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(described["MaxConcurrentTransforms"]),
        }
        variant = Variant("algo-1", replace(model, environment=environment), 1, 1.0, _STARTUP_SECONDS)
        self._container = TransformContainer(self._cloud, self._name, variant)
        try:
            self._container.start()
        except StartFailed as error:
            raise TransformFailed(f"AlgorithmError: the model's container does not serve. {error}") from error
        if self._stop.is_set():
            self._container.stop()
            raise _Stopped
        return self._container

    def _bring(self, folder: Path) -> None:
        source = self._described["TransformInput"]["DataSource"]["S3DataSource"]
        uri = source["S3Uri"]
        if source["S3DataType"] == "S3Prefix":
            s3_io.download(self._cloud, uri, folder)
            return
        manifest = self._folder / "manifest"
        s3_io.download(self._cloud, uri, manifest)
        try:
            head, *names = json.loads((manifest / uri.rpartition("/")[2]).read_text())
            prefix = head["prefix"]
        except (ValueError, KeyError, TypeError) as error:
            raise TransformFailed(f"ClientError: {uri} is not a manifest: {error}") from error
        for name in names:
            s3_io.download(self._cloud, f"{prefix}{name}", (folder / name).parent)

    def _transform_object(self, container: TransformContainer, file: Path, relative: Path) -> None:
        described, source = self._described, self._described["TransformInput"]
        data = file.read_bytes()
        if source["CompressionType"] == "Gzip":
            try:
                data = gzip.decompress(data)
            except (OSError, EOFError) as error:
                raise TransformFailed(f"ClientError: {relative} is not compressed by gzip: {error}") from error
        limit = described["MaxPayloadInMB"] * _MB
        try:
            bodies = list(payloads(data, source["SplitType"], described["BatchStrategy"], limit))
        except RecordTooLarge as error:
            raise TransformFailed(f"ClientError: {relative}: {error}; see MaxPayloadInMB and SplitType.") from error
        with ThreadPoolExecutor(described["MaxConcurrentTransforms"] or 1) as pool:
            answers = list(pool.map(lambda body: self._invoke(container, body, relative), bodies))
        outputs = self._folder / "outputs"
        output = outputs / f"{relative}.out"
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(assemble(answers, described["TransformOutput"]["AssembleWith"]))
        s3_io.upload_folder(self._cloud, outputs, described["TransformOutput"]["S3OutputPath"])
        shutil.rmtree(outputs)

    def _invoke(self, container: TransformContainer, body: bytes, relative: Path) -> bytes:
        """The container's answer to one request, asked again after timeouts and faults; raises `TransformFailed`."""
        described = self._described
        client = described["ModelClientConfig"]
        headers = {"Content-Type": described["TransformInput"].get("ContentType", "application/octet-stream")}
        if "Accept" in described["TransformOutput"]:
            headers["Accept"] = described["TransformOutput"]["Accept"]
        found = ""
        for _ in range(client["InvocationsMaxRetries"] + 1):
            if self._stop.is_set() or self._cloud.stopping.is_set():
                raise _Stopped
            try:
                answer = container.send(body, headers, client["InvocationsTimeoutInSeconds"])
            except urllib3.exceptions.HTTPError as error:
                found = f"no answer ({type(error).__name__})"
                continue
            if answer.status < 300:
                return answer.data
            found = f"status {answer.status}: {answer.data[:_SHOWN_BYTES].decode('utf-8', 'replace')}"
            if answer.status < 500:
                raise TransformFailed(f"ClientError: See job logs for more information. {relative}: {found}")
        raise TransformFailed(f"AlgorithmError: See job logs for more information. {relative}: {found}")

    def _note(self, line: str) -> None:
        with self._data_log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _update(self, **changes: Any) -> None:
        self._cloud.store.update(KIND, self._name, {"LastModifiedTime": now(), **changes})
