"""A processing job from its start to its end: inputs down, the container's processes, outputs up.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.containers import is_inside
from local_aws.errors import AwsError
from local_aws.processes.keeper import Running
from local_aws.sagemaker import execution_role
from local_aws.sagemaker.jobs import (
    DISK_FULL,
    DISK_FULL_REASON,
    EXITED,
    STOPPED,
    TIMED_OUT,
    Host,
    Job,
    Limits,
    command_failed,
)
from local_aws.sagemaker.s3_io import DownloadFailed, Shard, UploadFailed, download, upload_folder
from local_aws.store import now

KIND = "processing_job"
GROUP = "/aws/sagemaker/ProcessingJobs"
_REASON = 1024


class ProcessingJob:
    """What runs behind one description in the store."""

    def __init__(self, cloud: Cloud, described: dict[str, Any]) -> None:
        self._cloud = cloud
        self._described = described
        cluster = described["ProcessingResources"]["ClusterConfig"]
        self._image = images.resolve(cloud, described["AppSpecification"]["ImageUri"])
        self._instance_type = cluster["InstanceType"]
        role = execution_role.session(described["RoleArn"])
        self.job = Job(cloud, KIND, described["ProcessingJobName"], self._image, cluster["InstanceCount"], role)
        self._limits = Limits(
            described["StoppingCondition"]["MaxRuntimeInSeconds"], cluster["VolumeSizeInGB"] * 1024**3
        )

    def live(self, job: Job) -> None:
        """Carry the job out; every way in which it can end is written to its description."""
        try:
            execution_role.pull(self._cloud, self._image.uri)
            self._bring_inputs()
            job.update(ProcessingStartTime=now())
            end, code = job.run(GROUP, self._start, self._limits)
            if end == EXITED and code == 0:
                self._keep_outputs()
                self._finish("Completed")
            elif end in (STOPPED, TIMED_OUT):
                reason = {"FailureReason": "The job ran longer than MaxRuntimeInSeconds"} if end == TIMED_OUT else {}
                self._finish("Stopped", **reason)
            elif end == DISK_FULL:
                self._fail(DISK_FULL_REASON)
            else:
                self._fail(f"AlgorithmError: {self._reason(code)}")
        except (DownloadFailed, UploadFailed) as error:
            self._fail(str(error))
        except AwsError as error:
            self._fail(execution_role.pull_refused(self._image.uri, error))

    def _bring_inputs(self) -> None:
        described, hosts = self._described, self.job.hosts
        for index, host in enumerate(hosts):
            host.container.path("/opt/ml/output").mkdir(exist_ok=True)
            for item in described.get("ProcessingInputs", []):
                source = item["S3Input"]
                sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
                download(
                    self._cloud,
                    source["S3Uri"],
                    host.container.path(source["LocalPath"]),
                    Shard(index, len(hosts)) if sharded else Shard(),
                    gunzip=source.get("S3CompressionType") == "Gzip",
                )
            for item in self._outputs():
                host.container.path(item["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        self.job.configure("config/processingjobconfig.json", _json(described))
        self.job.configure(
            "config/resourceconfig.json", lambda host: self.job.resource_config(host, self._instance_type)
        )

    def _outputs(self) -> list[dict[str, Any]]:
        return self._described.get("ProcessingOutputConfig", {}).get("Outputs", [])

    def _start(self, host: Host) -> Running:
        app = self._described["AppSpecification"]
        command = [
            *(app.get("ContainerEntrypoint") or self._image.entrypoint),
            *(app.get("ContainerArguments") or self._image.cmd),
        ]
        variables = {
            "PROCESSING_JOB_NAME": self.job.name,
            "SM_CURRENT_HOST": host.name,
            **self._described.get("Environment", {}),
        }
        return host.container.start(
            f"{KIND}/{self.job.name}/{host.name}", command, variables, host.log, sources=self._sources(host, command)
        )

    def _sources(self, host: Host, command: list[str]) -> Path | None:
        """The folder of the script, when the command is Python with one that an input brought."""
        if len(command) > 1 and command[0] in ("python", "python3") and is_inside(command[1]):
            script = host.container.path(command[1])
            return script.parent if script.is_file() else None
        return None

    def _keep_outputs(self) -> None:
        for host in self.job.hosts:
            for item in self._outputs():
                target = item["S3Output"]
                upload_folder(self._cloud, host.container.path(target["LocalPath"]), target["S3Uri"])
        message = self._exit_message()
        if message:
            self.job.update(ExitMessage=message)

    def _exit_message(self) -> str:
        for host in self.job.hosts:
            file = host.container.path("/opt/ml/output/message")
            if file.is_file():
                return file.read_text(errors="replace").strip()[:_REASON]
        return ""

    def _reason(self, code: int) -> str:
        message = self._exit_message()
        if message:
            self.job.update(ExitMessage=message)
            return f"{message}, exit code: {code}"
        app = self._described["AppSpecification"]
        return command_failed(self.job.failed_host, code, app.get("ContainerEntrypoint", []))

    def _finish(self, status: str, **more: Any) -> None:
        self.job.update(ProcessingJobStatus=status, ProcessingEndTime=now(), **more)

    def _fail(self, reason: str) -> None:
        self._finish("Failed", FailureReason=reason[:_REASON])


def _json(described: dict[str, Any]) -> dict[str, Any]:
    """The description as the container reads it: times as text."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in described.items()}
