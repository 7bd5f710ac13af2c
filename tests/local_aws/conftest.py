"""Scripts as jobs, and models behind endpoints: what the tests of this room submit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import RunningCloud, start_cloud

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/rehearsal"
OPEN = ("InProgress", "Stopping", "Pending")


@pytest.fixture(scope="module")
def make_modules_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningCloud]]:
    """Start clouds of the module's own; all are stopped at its end."""
    started: list[RunningCloud] = []

    def start(home: Path | None = None, **environment: str) -> RunningCloud:
        started.append(start_cloud(home or tmp_path_factory.mktemp("modules-cloud"), **environment))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def cloud_without_rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud shared by the session, whose processes have no mounts of their own, as on some machines."""
    running = start_cloud(tmp_path_factory.mktemp("cloud-without-rooms"), LOCAL_AWS_ROOMS="off")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RunningCloud]]:
    """A cloud that a test may end: each call answers it as it runs, started again on its state where it does not.

    Its home is shared by the session: use names of your own in it.
    """
    home = tmp_path_factory.mktemp("restartable-cloud")
    started: list[RunningCloud] = []

    def running() -> RunningCloud:
        if not started or started[-1].process.poll() is not None:
            started.append(start_cloud(home))
        return started[-1]

    yield running
    for each in started:
        each.stop()


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


@pytest.fixture
def scripts(cloud: Any) -> Scripts:
    """Submit scripts to the shared cloud."""
    return Scripts(cloud)


@pytest.fixture(scope="session")
def scripts_of() -> type[Scripts]:
    """Submit scripts to a cloud of the test's own: `scripts_of(cloud)`."""
    return Scripts


# A server in the standard library: it says what it was sent, and misbehaves when the body or a variable asks for it.
SERVER = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

assert sys.argv[1:] == ["serve"], sys.argv
ml = Path(os.environ["SM_MODEL_DIR"])
print("hello from", os.environ.get("NAME", "nobody"), flush=True)
if os.environ.get("BROKEN"):
    sys.exit("cannot load the model: " + os.environ["BROKEN"])

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if attributes:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", "seen " + attributes)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        order = body.decode("utf-8", "replace")
        if order == "die":
            os._exit(3)
        if order.startswith("sleep "):
            time.sleep(float(order.split()[1]))
        if order.startswith("status "):
            return self.answer(int(order.split()[1]), b"the container says no", "text/plain")
        if order == "csv":
            return self.answer(200, b"1,2\\n", "text/csv; charset=utf-8")
        seen = {
            "name": os.environ.get("NAME"), "pid": os.getpid(), "length": len(body),
            "content_type": self.headers.get("Content-Type"), "accept": self.headers.get("Accept"),
            "model": {str(path.relative_to(ml)): path.read_text() for path in sorted(ml.rglob("*")) if path.is_file()},
        }
        self.answer(200, json.dumps(seen).encode())

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
DOCKERFILE = """
ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim
ENV PYTHONUNBUFFERED=1
COPY server.py /opt/program/server.py
WORKDIR /opt/program
ENTRYPOINT ["python", "/opt/program/server.py"]
"""


class Serving:
    """Models and endpoints of one cloud, on an image built for it; every name is new."""

    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving-test:1"

    def __init__(self, cloud: Any, folder: Path) -> None:
        self.cloud = cloud
        self.bucket = cloud.new_bucket()
        self.s3 = cloud.client("s3")
        self.sagemaker = cloud.client("sagemaker")
        self.runtime = cloud.client("sagemaker-runtime")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.py").write_text(SERVER)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        built = self.build(self.image, folder, f"PYTHON_VERSION={sys.version_info.major}.{sys.version_info.minor}")
        assert built.returncode == 0, built.stderr

    def build(self, uri: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `local-aws build-image` on a folder with a Dockerfile."""
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        command = [sys.executable, "-m", "local_aws", "build-image", "--home", str(self.cloud.home), "--tag", uri]
        return subprocess.run([*command, *given, str(folder)], capture_output=True, text=True, timeout=120, check=False)

    def archive(self, **files: str) -> str:
        """Upload a model.tar.gz of files (`a_txt="..."` becomes a.txt); its URI."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(".".join(name.rsplit("_", 1)))
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        return self.upload(buffer.getvalue())

    def upload(self, archive: bytes) -> str:
        key = f"models/{uuid.uuid4().hex}/model.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=archive)
        return f"s3://{self.bucket}/{key}"

    def model(self, name: str = "nobody", **environment: str) -> str:
        """Make a model whose container calls itself `name`; the model's own name."""
        model = f"model-{uuid.uuid4().hex[:10]}"
        container = {
            "Image": self.image,
            "ModelDataUrl": self.archive(answer_txt=name),
            "Environment": {"NAME": name, **environment},
        }
        self.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        return model

    def config(self, *variants: dict[str, Any], **more: Any) -> str:
        """Make an endpoint configuration of variants, of which each names at least its model; its name."""
        name = f"config-{uuid.uuid4().hex[:10]}"
        whole = [
            {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **variant}
            for variant in variants
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=whole, **more)
        return name

    def endpoint(self, config: str, **more: Any) -> str:
        """Make an endpoint; its name, once it is in service."""
        name = f"endpoint-{uuid.uuid4().hex[:10]}"
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        described = self.settled(name)
        assert described["EndpointStatus"] == "InService", described.get("FailureReason")
        return name

    def settled(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The description of an endpoint once nothing happens to it any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            described = self.sagemaker.describe_endpoint(EndpointName=name)
            if described["EndpointStatus"] not in ("Creating", "Updating", "RollingBack"):
                return described
            time.sleep(0.05)
        pytest.fail(f"still {described['EndpointStatus']} after {seconds} s")

    def invoke(self, endpoint: str, body: bytes = b"{}", **more: Any) -> dict[str, Any]:
        """What the container saw of a call."""
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        return json.loads(answer["Body"].read())


@pytest.fixture(scope="session")
def serving(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Serving:
    """Models and endpoints of the shared cloud."""
    return Serving(cloud, tmp_path_factory.mktemp("serving-image"))


@pytest.fixture
def serving_of(tmp_path: Path) -> Callable[[Any], Serving]:
    """Models and endpoints of a cloud of the test's own: `serving_of(cloud)`."""
    return lambda cloud: Serving(cloud, tmp_path / "serving-image")


class Stacks:
    """Stacks of one cloud, by name: made, changed and unmade to the end of what happens to them."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.cloudformation = cloud.client("cloudformation")

    def name(self) -> str:
        return f"stack-{uuid.uuid4().hex[:8]}"

    def request(self, template: str, parameters: dict[str, str], more: dict[str, Any]) -> dict[str, Any]:
        """What CreateStack and UpdateStack take."""
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        return {"TemplateBody": template, "Parameters": given, "Capabilities": ["CAPABILITY_NAMED_IAM"], **more}

    def create(self, template: str, parameters: dict[str, str] | None = None, **more: Any) -> str:
        """Make a stack under a new name and wait for its end, whatever that is."""
        name = more.pop("StackName", None) or self.name()
        self.cloudformation.create_stack(StackName=name, **self.request(template, parameters or {}, more))
        self.settled(name)
        return name

    def update(self, name: str, template: str, parameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Change a stack; its description once that has ended."""
        self.cloudformation.update_stack(StackName=name, **self.request(template, parameters or {}, more))
        return self.settled(name)

    def delete(self, name: str, **more: Any) -> dict[str, Any]:
        """Unmake a stack; its description once that has ended."""
        stack_id = self.describe(name)["StackId"]
        self.cloudformation.delete_stack(StackName=name, **more)
        return self.settled(stack_id)

    def describe(self, name: str) -> dict[str, Any]:
        return dict(self.cloudformation.describe_stacks(StackName=name)["Stacks"][0])

    def status(self, name: str) -> str:
        return str(self.describe(name)["StackStatus"])

    def settled(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The description of a stack once nothing happens to it any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            stack = self.describe(name)
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.05)
        pytest.fail(f"still {stack['StackStatus']} after {seconds} s: {self.told(name)}")

    def outputs(self, name: str) -> dict[str, str]:
        return {row["OutputKey"]: row["OutputValue"] for row in self.describe(name).get("Outputs", [])}

    def resources(self, name: str) -> dict[str, str]:
        """The physical ids of a stack's resources by their logical ones."""
        rows = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {row["LogicalResourceId"]: row.get("PhysicalResourceId", "") for row in rows}

    def told(self, name: str) -> list[tuple[str, str, str]]:
        """The events, oldest first: logical id, status, reason."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason", ""))
            for event in reversed(events)
        ]

    def reason(self, name: str, logical_id: str, status: str) -> str:
        """Why a resource came into a state, by its last event of that state."""
        return [told for told in self.told(name) if told[:2] == (logical_id, status)][-1][2]


@pytest.fixture
def stacks(cloud: Any) -> Stacks:
    """Stacks of the shared cloud."""
    return Stacks(cloud)


@pytest.fixture
def stacks_of() -> type[Stacks]:
    """Stacks of a cloud of the test's own: `stacks_of(cloud)`."""
    return Stacks
