"""A training job from its start to its end: channels down, the container's processes, artifacts up.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from local_aws import environments, images
from local_aws.cloud import Cloud
from local_aws.containers import Container
from local_aws.errors import AwsError
from local_aws.processes.keeper import Running
from local_aws.sagemaker import execution_role, script_mode
from local_aws.sagemaker.jobs import (
    DISK_FULL,
    DISK_FULL_REASON,
    REASON,
    STOPPED,
    TIMED_OUT,
    Host,
    Job,
    Limits,
    command_failed,
)
from local_aws.sagemaker.metrics import MetricReader
from local_aws.sagemaker.s3_io import DownloadFailed, Shard, UploadFailed, download, upload_folder, upload_tar
from local_aws.sagemaker.script_mode import Script, SourcesRefused
from local_aws.store import now

KIND = "training_job"
GROUP = "/aws/sagemaker/TrainingJobs"
# A job may print a metric a thousand times a second; its description follows at a reader's pace.
_METRICS_SECONDS = 1.0


class TrainingJob:
    """What runs behind one description in the store."""

    def __init__(self, cloud: Cloud, described: dict[str, Any], metrics: MetricReader | None = None) -> None:
        self._cloud = cloud
        self._described = described
        resources = described["ResourceConfig"]
        self._image = images.resolve(cloud, described["AlgorithmSpecification"]["TrainingImage"])
        role = execution_role.session(described["RoleArn"])
        self.job = Job(cloud, KIND, described["TrainingJobName"], self._image, resources.get("InstanceCount", 1), role)
        self._metrics = metrics or MetricReader(described["AlgorithmSpecification"].get("MetricDefinitions", []))
        self._metrics_told = 0.0
        self._limits = Limits(
            described["StoppingCondition"]["MaxRuntimeInSeconds"], resources.get("VolumeSizeInGB", 30) * 1024**3
        )

    def live(self, job: Job) -> None:
        """Carry the job out; every way in which it can end is written to its description."""
        try:
            execution_role.pull(self._cloud, self._image.uri)
            self._phase("Downloading", "Downloading input data")
            self._bring_inputs()
            self._phase("Training", "Training image download completed. Training in progress.")
            self._described = self._cloud.store.update(KIND, job.name, {"TrainingStartTime": now()})
            end, code = job.run(GROUP, self._start, self._limits, self._read_metrics)
            self._tell_metrics()
            self._phase("Uploading", "Uploading generated training model")
            self._keep_outputs(succeeded=code == 0 and end != DISK_FULL)
            if end == STOPPED:
                self._finish("Stopped", "Stopped", "Training job stopped")
            elif end == TIMED_OUT:
                self._finish("Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds")
            elif end == DISK_FULL:
                self._fail(DISK_FULL_REASON)
            elif code != 0:
                self._fail(self._reason(code))
            else:
                self._finish("Completed", "Completed", "Training job completed")
        except (DownloadFailed, UploadFailed) as error:
            self._fail(str(error))
        except AwsError as error:
            self._fail(execution_role.pull_refused(self._image.uri, error))
        except (SourcesRefused, environments.RequirementsRefused) as error:
            self._fail(f"AlgorithmError: {error}")

    def _bring_inputs(self) -> None:
        described = self._described
        hosts = self.job.hosts
        for index, host in enumerate(hosts):
            for folder in ("/opt/ml/model", "/opt/ml/output/data", "/opt/ml/input/data", "/opt/ml/checkpoints"):
                host.container.path(folder).mkdir(parents=True, exist_ok=True)
            for channel in described.get("InputDataConfig", []):
                source = channel["DataSource"]["S3DataSource"]
                sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
                download(
                    self._cloud,
                    source["S3Uri"],
                    host.container.path(f"/opt/ml/input/data/{channel['ChannelName']}"),
                    Shard(index, len(hosts)) if sharded else Shard(),
                    gunzip=channel.get("CompressionType") == "Gzip",
                )
            checkpoints = described.get("CheckpointConfig")
            if checkpoints and self._has_objects(checkpoints["S3Uri"]):
                download(
                    self._cloud, checkpoints["S3Uri"].rstrip("/") + "/", host.container.path("/opt/ml/checkpoints")
                )
            self._rewrite_drivers(host.container)
        instance = described["ResourceConfig"].get("InstanceType", "ml.m5.large")
        self.job.configure("input/config/hyperparameters.json", described.get("HyperParameters", {}))
        self.job.configure("input/config/resourceconfig.json", lambda host: self.job.resource_config(host, instance))
        self.job.configure(
            "input/config/inputdataconfig.json",
            {
                channel["ChannelName"]: {
                    "ContentType": channel.get("ContentType"),
                    "TrainingInputMode": "File",
                    "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                        "S3DataDistributionType", "FullyReplicated"
                    ),
                    "RecordWrapperType": channel.get("RecordWrapperType", "None"),
                }
                for channel in described.get("InputDataConfig", [])
            },
        )

    def _has_objects(self, uri: str) -> bool:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self._cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"] > 0

    def _rewrite_drivers(self, container: Container) -> None:
        """The SDK's drivers name /opt/ml in their text; where it is not there, they must name what stands for it."""
        for path in container.path("/opt/ml/input/data").glob("sm_drivers/**/*"):
            if path.is_file() and path.suffix in (".sh", ".py", ".json"):
                text = path.read_text()
                path.write_text(container.rewritten(text))

    def _start(self, host: Host) -> Running:
        described, container = self._described, host.container
        algorithm = described["AlgorithmSpecification"]
        own = {
            "TRAINING_JOB_NAME": described["TrainingJobName"],
            "TRAINING_JOB_ARN": described["TrainingJobArn"],
            **described.get("Environment", {}),
        }
        name = f"{KIND}/{self.job.name}/{host.name}"
        if "ContainerEntrypoint" in algorithm:
            container.python = environments.overlay(self._image.python, container.folder / "environment")
            command = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
            return container.start(name, command, own, host.log)
        if self._image.entrypoint:
            return container.start(
                name, [*self._image.entrypoint, *algorithm.get("ContainerArguments", ["train"])], own, host.log
            )
        return self._start_script(host, name, own)

    def _start_script(self, host: Host, name: str, own: dict[str, str]) -> Running:
        container = host.container
        script = Script.of(self._described.get("HyperParameters", {}), own)
        sources = script.fetch(self._cloud, container)
        requirements = sources / "requirements.txt"
        if requirements.exists():
            container.python = environments.with_requirements(self._cloud, self._image.python, requirements)
        instance = self._described["ResourceConfig"].get("InstanceType", "ml.m5.large")
        resources = self.job.resource_config(host, instance)
        variables = script_mode.environment(script, container, self._described, resources)
        folder = container.inside(script_mode.CODE)
        program_is_python = script.program.endswith(".py")
        return container.start(
            name,
            script.command(folder),
            {**variables, "PYTHONPATH": folder, **own},
            host.log,
            cwd=folder,
            sources=sources if program_is_python else None,
        )

    def _read_metrics(self, text: str, at: float) -> None:
        if self._metrics.line(text, datetime.fromtimestamp(at, UTC)) and at - self._metrics_told >= _METRICS_SECONDS:
            self._metrics_told = at
            self._tell_metrics()

    def _tell_metrics(self) -> None:
        metrics = self._metrics.final()
        if metrics:
            self.job.update(FinalMetricDataList=metrics)

    def _keep_outputs(self, *, succeeded: bool) -> None:
        described, hosts = self._described, self.job.hosts
        prefix = f"{described['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.job.name}/output"
        data = [host.container.path("/opt/ml/output/data") for host in hosts]
        if any(any(folder.iterdir()) for folder in data):
            upload_tar(self._cloud, data, f"{prefix}/output.tar.gz", self.job.folder)
        if described.get("CheckpointConfig"):
            upload_folder(
                self._cloud, hosts[0].container.path("/opt/ml/checkpoints"), described["CheckpointConfig"]["S3Uri"]
            )
        if succeeded:
            models = [host.container.path("/opt/ml/model") for host in hosts]
            if described["OutputDataConfig"].get("CompressionType") == "NONE":
                for folder in models:
                    upload_folder(self._cloud, folder, f"{prefix}/model")
                artifact = f"{prefix}/model/"
            else:
                artifact = f"{prefix}/model.tar.gz"
                upload_tar(self._cloud, models, artifact, self.job.folder)
            self.job.update(ModelArtifacts={"S3ModelArtifacts": artifact})

    def _reason(self, code: int) -> str:
        file = self.job.failed_host.container.path("/opt/ml/output/failure")
        if file.is_file() and file.stat().st_size:
            return f"AlgorithmError: {file.read_text(errors='replace').strip()}, exit code: {code}"
        script = self._described.get("HyperParameters", {}).get("sagemaker_program", "the container").strip('"')
        return f"AlgorithmError: {command_failed(self.job.failed_host, code, ['python', script])}, exit code: {code}"

    def _phase(self, status: str, message: str) -> None:
        self._cloud.store.update(KIND, self.job.name, lambda body: _in_phase(body, status, message))

    def _finish(self, status: str, secondary: str, message: str) -> None:
        def end(body: dict[str, Any]) -> dict[str, Any]:
            at = now()
            started = body.get("TrainingStartTime", at)
            seconds = max(1, round((at - started).total_seconds()))
            return {
                **_in_phase(body, secondary, message),
                "TrainingJobStatus": status,
                "TrainingEndTime": at,
                "TrainingTimeInSeconds": seconds,
                "BillableTimeInSeconds": seconds,
            }

        self._cloud.store.update(KIND, self.job.name, end)

    def _fail(self, reason: str) -> None:
        reason = reason[:REASON]
        self.job.update(FailureReason=reason)
        self._finish("Failed", "Failed", reason)


def _in_phase(body: dict[str, Any], status: str, message: str) -> dict[str, Any]:
    """The description with another secondary status, the one before being over now."""
    at = now()
    transitions = [dict(item) for item in body.get("SecondaryStatusTransitions", [])]
    if transitions and "EndTime" not in transitions[-1]:
        transitions[-1]["EndTime"] = at
    transitions.append({"Status": status, "StartTime": at, "StatusMessage": message})
    return {**body, "SecondaryStatus": status, "SecondaryStatusTransitions": transitions, "LastModifiedTime": at}
