"""A tracking server deployed into a local cloud by the command a team uses, and shared by the tests that only look."""

from __future__ import annotations

import functools
import http.server
import os
import pty
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# The cloud runs images on this very Python; the Dockerfile pins another by its digest.
PYTHON_TAG = f"{sys.version_info.major}.{sys.version_info.minor}-slim"


@dataclass(frozen=True)
class Team:
    """A server's name and stack of a test's own in one cloud, and the commands run for it."""

    cloud: Any
    name: str
    bundle_url: str

    @property
    def stack(self) -> str:
        return f"{self.name}-server"

    def run(self, command: str, *words: str, stdin: Any = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        """Run a command as a user does; nobody is there to ask unless `stdin` is a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "mlflow_server", command, *words, "--stack", self.stack],
            env=self.cloud.environment,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    def deploy(self, *options: str) -> subprocess.CompletedProcess[str]:
        base = ("--server-name", self.name, "--certificate-bundle-url", self.bundle_url, "--python-tag", PYTHON_TAG)
        return self.run("deploy", *base, *options)

    def answer(self, typed: list[str], command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command at a terminal, and type."""
        ours, theirs = pty.openpty()
        os.write(ours, "".join(f"{line}\n" for line in typed).encode())
        try:
            return self.run(command, *words, stdin=theirs)
        finally:
            os.close(ours)
            os.close(theirs)

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def described(self, stack: str | None = None) -> dict[str, Any] | None:
        """The stack as CloudFormation has it, None where there is none."""
        cloudformation = self.client("cloudformation")
        try:
            return dict(cloudformation.describe_stacks(StackName=stack or self.stack)["Stacks"][0])
        except cloudformation.exceptions.ClientError:
            return None

    def status(self) -> str | None:
        found = self.described()
        return str(found["StackStatus"]) if found else None

    def outputs(self, stack: str | None = None) -> dict[str, str]:
        found = self.described(stack)
        assert found is not None
        return {row["OutputKey"]: row["OutputValue"] for row in found["Outputs"]}

    def resources(self, stack: str | None = None) -> dict[str, str]:
        """The physical ids of the stack's resources by their logical ones."""
        rows = self.client("cloudformation").describe_stack_resources(StackName=stack or self.stack)["StackResources"]
        return {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}


def new_team(cloud: Any, bundle_url: str) -> Team:
    return Team(cloud, f"m{uuid.uuid4().hex[:8]}", bundle_url)


@pytest.fixture(scope="session")
def bundle_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where RDS's certificate authorities are published, as far as these tests go."""
    folder = tmp_path_factory.mktemp("truststore")
    (folder / "global-bundle.pem").write_text("-----BEGIN CERTIFICATE-----\nan authority\n-----END CERTIFICATE-----\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/global-bundle.pem"
        server.shutdown()


@pytest.fixture
def team(cloud: Any, bundle_url: str) -> Team:
    """A server that nothing is deployed for yet."""
    return new_team(cloud, bundle_url)


@pytest.fixture(scope="session")
def deployed(cloud: Any, bundle_url: str) -> Team:
    """A small server on the inside of a VPC of its own, deployed with its service; a test may not change it."""
    team = new_team(cloud, bundle_url)
    done = team.deploy("--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return team


@pytest.fixture(scope="session")
def room() -> Path:
    """The folder of the templates."""
    from mlflow_server.aws.template import SERVER

    return SERVER.parent
