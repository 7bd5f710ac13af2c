"""A tracking server deployed into a local cloud by the command a team uses, and shared by the tests that only look."""

from __future__ import annotations

import functools
import http.server
import os
import pty
import socket
import ssl
import struct
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest

from ...conftest import start_cloud
from ..in_process import invoked

# The cloud runs images on this very Python; the Dockerfile pins another by its digest.
PYTHON_TAG = f"{sys.version_info.major}.{sys.version_info.minor}-slim"


OPENSSL = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext"


def certificate(folder: Path, name: str, subject: str = "IP:127.0.0.1") -> Path:
    """A certificate, its own authority, beside its key."""
    file = folder / f"{name}.crt"
    subprocess.run(
        [*OPENSSL.split(), f"subjectAltName={subject}", "-keyout", str(folder / f"{name}.key"), "-out", str(file)],
        check=True,
        capture_output=True,
    )
    return file


class Encryption:
    """TLS in front of a PostgreSQL whose build has none: it answers SSLRequest, and passes on what is in the TLS.

    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
    """

    def __init__(self, port: int, certificate: Path) -> None:
        self._behind = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if client.recv(8) != struct.pack("!ii", 8, 80877103):
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", self._behind)) as database,
            ):
                back = threading.Thread(target=_pass_on, args=(database, inside), daemon=True)
                back.start()
                _pass_on(inside, database)
                back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Team:
    """A server's name and stack of a test's own in one cloud, and the commands run for it."""

    cloud: Any
    name: str
    bundle_url: str

    @property
    def stack(self) -> str:
        return f"{self.name}-server"

    def run(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command where nobody is there to ask."""
        return invoked(command, "--stack", self.stack, *words, environment=self.cloud.environment)

    def run_process(
        self, command: str, *words: str, stdin: Any = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
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

    def deploy(self, *options: str, process: bool = False) -> subprocess.CompletedProcess[str]:
        base = ("--server-name", self.name, "--certificate-bundle-url", self.bundle_url, "--python-tag", PYTHON_TAG)
        return (self.run_process if process else self.run)("deploy", *base, *options)

    def answer(self, typed: list[str], command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command at a terminal, and type."""
        ours, theirs = pty.openpty()
        os.write(ours, "".join(f"{line}\n" for line in typed).encode())
        try:
            return self.run_process(command, *words, stdin=theirs)
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
def truststore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site that publishes certificate authorities, with its own certificate."""
    folder = tmp_path_factory.mktemp("truststore")
    certificate(folder, "site")
    return folder


@pytest.fixture(scope="session")
def cloud(truststore: Path) -> Iterator[Any]:
    """A cloud whose builds trust that site."""
    trusted = Path(os.environ.get("CURL_CA_BUNDLE") or certifi.where()).read_text()
    bundle = truststore / "trusted.crt"
    bundle.write_text(trusted + (truststore / "site.crt").read_text())
    running = start_cloud(truststore / "cloud", CURL_CA_BUNDLE=str(bundle))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def bundle_url(truststore: Path) -> Iterator[str]:
    """Where RDS's certificate authorities are published, as far as these tests go."""
    folder = truststore / "published"
    folder.mkdir()
    (folder / "global-bundle.pem").write_text("-----BEGIN CERTIFICATE-----\nan authority\n-----END CERTIFICATE-----\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(truststore / "site.crt", truststore / "site.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}/global-bundle.pem"
        server.shutdown()


@pytest.fixture
def team(cloud: Any, bundle_url: str) -> Team:
    """A server that nothing is deployed for yet."""
    return new_team(cloud, bundle_url)


@pytest.fixture(scope="session")
def deployed(cloud: Any, bundle_url: str) -> Team:
    """A small server on the inside of a VPC of its own, deployed with its service; a test may not change it."""
    team = new_team(cloud, bundle_url)
    done = team.deploy("--yes", process=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return team


@pytest.fixture(scope="session")
def room() -> Path:
    """The folder of the templates."""
    from mlflow_server.aws.template import SERVER

    return SERVER.parent
