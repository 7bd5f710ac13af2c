"""Running local clouds for the tests: one shared by all that do not break it, and others of a test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/rehearsal"


@dataclass
class RunningCloud:
    """A local cloud in a process of its own."""

    process: subprocess.Popen[str]
    endpoint_url: str
    home: Path

    def client(self, service: str) -> Any:
        """A plain boto3 client that knows nothing but the address."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1, "mode": "standard"}),
        )

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
    return RunningCloud(process, line.split()[-1], home)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud shared by the session: use names of your own in it, and do not stop it."""
    running = start_cloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.stop()


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
