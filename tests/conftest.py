"""Running servers for the tests: a cloud and an MLflow for all that do not break them, and clouds of a test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
import urllib3
from botocore.config import Config
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/rehearsal"
# Roles that the tests name without making them: every cloud of a test has them, and they may do everything.
ROLES = ("rehearsal", "model-build", "endpoint", "deployer")
_TOGETHER = ("tests/loop/", "tests/mlflow_server/aws/", "tests/mlflow_server/", "tests/model_", "tests/cicd/")
_SERVICES = ("sagemaker", "codebuild", "codepipeline", "cloudformation", "events")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest for one worker, the whole walk and what shares servers; the rest fills the gaps."""
    items.sort(key=lambda item: next((at for at, room in enumerate(_TOGETHER) if item.nodeid.startswith(room)), 99))


class _ByRoom(LoadFileScheduling):
    """Each file on one worker; rooms whose files share servers that are dear to start as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        return next((room for room in _TOGETHER if nodeid.startswith(room)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    return _ByRoom(config, log)


@pytest.fixture(autouse=True, scope="module")
def _no_server_left_behind() -> Iterator[None]:
    """What a module's tests told MLflow in this process of its servers, the next module's tests do not find."""
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)


@dataclass
class RunningCloud:
    """A local cloud in a process of its own."""

    process: subprocess.Popen[str]
    endpoint_url: str
    home: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A plain boto3 client that knows nothing but the address; the same one each time, as it takes long to make."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"max_attempts": 1, "mode": "standard"}),
            )
        return self._clients[service]

    @property
    def environment(self) -> dict[str, str]:
        """What a user sets to have the SDK and every command work against this cloud."""
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def new_bucket(self) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def start_cloud(home: Path, **environment: str) -> RunningCloud:
    """Start a cloud on a home and a free port; what it logs is in `<home>/test.log`."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "test.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_aws", "up", "--foreground", "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if "listening on" not in line:
        process.kill()
        raise RuntimeError(f"the cloud did not start: {line}{(home / 'test.log').read_text()}")
    running = RunningCloud(process, line.split()[-1], home)
    for role in ROLES:
        make_administrator(running, role)
    return running


def make_administrator(cloud: RunningCloud, role: str) -> None:
    """Make a role that services may assume and that may do everything; one that is there stays as it is."""
    services = [f"{name}.amazonaws.com" for name in _SERVICES]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    _iam(cloud, "CreateRole", RoleName=role, AssumeRolePolicyDocument=_policy(trust))
    _iam(cloud, "PutRolePolicy", RoleName=role, PolicyName="everything", PolicyDocument=_policy(everything))


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _iam(cloud: RunningCloud, action: str, **parameters: str) -> None:
    """A call of IAM without a client, which would take longer to make than all calls together."""
    body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
    credential = "Credential=test/20260101/us-east-1/iam/aws4_request"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = {**form, "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
    answer = urllib3.request("POST", cloud.endpoint_url, body=body, headers=headers, timeout=30)
    assert answer.status == 200 or b"EntityAlreadyExists" in answer.data, answer.data


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud shared by the session: use names of your own in it, and do not stop it."""
    running = start_cloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow shared by the session: use names of your own in it, and do not stop it."""
    home = tmp_path_factory.mktemp("mlflow")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_"))}
    with (home / "test.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow_server", "up", "--foreground", "--home", str(home / "home")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env=kept,
        )
    assert server.stdout is not None
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if address := next((word for word in line.split() if word.startswith("http://")), None):
                break
        else:
            raise RuntimeError(f"MLflow did not start: {''.join(said)}{(home / 'test.log').read_text()}")
        yield address
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()


@pytest.fixture
def make_cloud(tmp_path: Path) -> Iterator[Callable[..., RunningCloud]]:
    """Start clouds of the test's own; all are stopped at its end."""
    started: list[RunningCloud] = []

    def start(home: Path | None = None, **environment: str) -> RunningCloud:
        started.append(start_cloud(home or tmp_path / f"cloud-{len(started)}", **environment))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def bucket(cloud: RunningCloud) -> str:
    """A bucket of the test's own in the shared cloud."""
    return cloud.new_bucket()
