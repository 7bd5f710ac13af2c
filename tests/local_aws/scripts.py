"""Scripts as jobs of one cloud: what they are given, and what they leave."""

from __future__ import annotations

import io
import tarfile
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/rehearsal"
OPEN = ("InProgress", "Stopping", "Pending")


class Scripts:
    """Submits scripts to one cloud; every name is new."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.bucket = cloud.new_bucket()
        self.s3 = cloud.client("s3")
        self.sagemaker = cloud.client("sagemaker")

    def sources(self, **files: str) -> str:
        """Upload files (`train_py="..."` becomes train.py) as sourcedir.tar.gz; its URI."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(".".join(name.rsplit("_", 1)))
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        key = f"code/{uuid.uuid4().hex}/sourcedir.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=buffer.getvalue())
        return f"s3://{self.bucket}/{key}"

    def training_request(
        self, script: str, hyperparameters: dict[str, str] | None = None, **changes: Any
    ) -> dict[str, Any]:
        """A CreateTrainingJob request for a script; `changes` replace or add members."""
        request = {
            "TrainingJobName": f"train-{uuid.uuid4().hex[:10]}",
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": SKLEARN_IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": self.sources(train_py=script),
                **(hyperparameters or {}),
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 120},
        }
        return {**request, **changes}

    def train(self, script: str, hyperparameters: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
        """Run a script as a training job to its end; its description."""
        request = self.training_request(script, hyperparameters, **changes)
        self.sagemaker.create_training_job(**request)
        return self.trained(request["TrainingJobName"])

    def trained(self, name: str, seconds: float = 120) -> dict[str, Any]:
        """The description of a training job once it has ended."""
        return self._ended(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", seconds
        )

    def process(self, script: str, arguments: list[str] | None = None, **changes: Any) -> dict[str, Any]:
        """Run a script as a processing job to its end; its description. /opt/ml/processing/out is uploaded."""
        name = f"process-{uuid.uuid4().hex[:10]}"
        self.s3.put_object(Bucket=self.bucket, Key=f"{name}/script.py", Body=script.encode())
        code = {
            "InputName": "code",
            "S3Input": {
                "S3Uri": f"s3://{self.bucket}/{name}/script.py",
                "LocalPath": "/opt/ml/processing/input/code",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        out = {
            "OutputName": "out",
            "S3Output": {
                "S3Uri": f"s3://{self.bucket}/{name}/out",
                "LocalPath": "/opt/ml/processing/out",
                "S3UploadMode": "EndOfJob",
            },
        }
        request = {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": SKLEARN_IMAGE,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
                **({"ContainerArguments": arguments} if arguments else {}),
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "ProcessingOutputConfig": {"Outputs": [out]},
            **changes,
            "ProcessingInputs": [code, *changes.get("ProcessingInputs", [])],
        }
        self.sagemaker.create_processing_job(**request)
        return self._ended(
            lambda: self.sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus", 120
        )

    def log(self, group: str, job: str) -> str:
        """All that a job's streams hold."""
        logs = self.cloud.client("logs")
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        events = [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
        return "\n".join(events)

    def text(self, uri: str) -> str:
        """An object of S3 as text."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def archive(self, uri: str) -> dict[str, str]:
        """The files of a gzipped tar in S3, by name, as text."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            return {
                member.name: (opened.read().decode() if (opened := tar.extractfile(member)) else "")
                for member in tar.getmembers()
                if member.isfile()
            }

    def _ended(self, describe: Callable[[], dict[str, Any]], status: str, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            described = describe()
            if described[status] not in OPEN:
                return described
            time.sleep(0.05)
        pytest.fail(f"still {described[status]} after {seconds} s")
