"""One instance of a variant: a container that serves, reached over HTTP on a port of 127.0.0.1 that is its own.
It is waited for by /ping, started again when it dies in service, and stopped once the calls in flight are answered.

SageMaker's contract is `docker run image serve` on port 8080. Containers here share the machine's one network, so each
is given a port by SAGEMAKER_BIND_TO_PORT, the variable by which SageMaker itself moves the containers of a
multi-container endpoint; a program that ignores it never answers /ping.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import http
import logging
import secrets
import shutil
import signal
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.containers import Container
from local_aws.errors import AwsError
from local_aws.logs import Forwarder, tail
from local_aws.principal import Principal, acting_as
from local_aws.processes.keeper import Running
from local_aws.sagemaker import execution_role
from local_aws.sagemaker.model_data import ModelDataRefused
from local_aws.sagemaker.models import ServedModel

_LOG = logging.getLogger(__name__)
_MODEL = "/opt/ml/model"
_PING_SECONDS = 2.0
_CONNECT_SECONDS = 5.0
_TERMINATION_SECONDS = 30.0
_DRAIN_SECONDS = 65.0
_LONGEST_BACKOFF_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_CONNECTIONS = 64
_REASON_LOG_CHARACTERS = 500


class StartFailed(Exception):
    """An instance that does not come into service; the message is a FailureReason."""


@dataclass(frozen=True)
class Variant:
    """A production variant as it is deployed: its model, how many instances, its share of the traffic.

    `startup_seconds` is how long a container may take until /ping answers 200.
    """

    name: str
    model: ServedModel
    instances: int
    weight: float
    startup_seconds: float


@dataclass(frozen=True)
class _Attempt:
    """One start of the container: its process, and the connections to the port it was given."""

    running: Running
    pool: urllib3.HTTPConnectionPool


class ServingProcess:
    """One running instance of a variant of an endpoint."""

    def __init__(self, cloud: Cloud, endpoint: str, variant: Variant) -> None:
        self.instance = f"i-{secrets.token_hex(9)[:17]}"
        self.variant = variant
        self.in_flight = 0
        self.healthy = False
        self._cloud = cloud
        self._endpoint = endpoint
        home = cloud.settings.home
        self._folder = home / "endpoints" / endpoint / self.instance
        self._log = home / "logs" / "endpoints" / endpoint / variant.name / f"{self.instance}.log"
        self._stopping = threading.Event()
        # Held while a container is made and launched: what is stopped meanwhile must not come up afterwards.
        self._launching = threading.Lock()
        self._idle = threading.Condition()
        self._attempts = 0
        self._attempt: _Attempt | None = None
        self._forwarder: Forwarder | None = None

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/Endpoints/{self._endpoint}"

    @property
    def log_stream(self) -> str:
        return f"{self.variant.name}/{self.instance}"

    def start(self) -> None:
        """Bring the model, start the container and wait until it answers /ping; raises `StartFailed`."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.touch()
        role = execution_role.session(self.variant.model.role)
        with self._launching:
            with acting_as(role):
                container = self._made(role)
            if self._stopping.is_set():
                raise StartFailed("It was stopped before it was started.")
            attempt = self._launch(container)
        self._await_ping(attempt)
        threading.Thread(
            target=self._watch, args=(container, attempt), name=f"serving {self.log_stream}", daemon=True
        ).start()

    def _made(self, role: Principal) -> Container:
        """The container with the model in it; raises `StartFailed`."""
        self._forwarder = Forwarder(self._cloud, self.log_group, self.log_stream, self._log).start()
        try:
            image = images.resolve(self._cloud, self.variant.model.image)
            execution_role.pull(self._cloud, self.variant.model.image)
            container = Container(self._cloud, image, self._folder, role)
            model_folder = container.path(_MODEL)
            model_folder.mkdir(parents=True, exist_ok=True)
            if self.variant.model.data is not None:
                self.variant.model.data.bring(self._cloud, model_folder, self._folder / "tmp")
        except (AwsError, ModelDataRefused) as error:
            raise StartFailed(str(error)) from error
        return container

    def send(self, body: bytes, headers: Mapping[str, str], timeout: float) -> urllib3.BaseHTTPResponse:
        """POST to /invocations; raises what urllib3 raises when there is no answer within `timeout` seconds."""
        if self._attempt is None:
            raise urllib3.exceptions.HTTPError("the container is not up")
        return self._attempt.pool.urlopen(
            "POST",
            "/invocations",
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout),
            retries=False,
            redirect=False,
            assert_same_host=False,
        )

    def taken(self) -> None:
        """Count a call that is about to be sent; the caller holds the lock under which instances are chosen."""
        with self._idle:
            self.in_flight += 1

    def given_back(self) -> None:
        """A call was answered, or failed."""
        with self._idle:
            self.in_flight -= 1
            self._idle.notify_all()

    def alive(self) -> bool:
        """Whether the process runs, healthy or not."""
        return self._attempt is not None and self._attempt.running.wait(0) is None

    def stop(self) -> None:
        """Let the calls in flight end, then SIGTERM, then SIGKILL after 30 s; the log stays."""
        self._stopping.set()
        self.healthy = False
        with self._idle:
            self._idle.wait_for(lambda: self.in_flight == 0, _DRAIN_SECONDS)
        with self._launching:
            attempt = self._attempt
        if attempt is not None:
            if attempt.running.wait(0) is None:
                attempt.running.signal(signal.SIGTERM)
            if attempt.running.wait(_TERMINATION_SECONDS) is None:
                attempt.running.kill()
                attempt.running.wait(_TERMINATION_SECONDS)
            attempt.pool.close()
        if self._forwarder is not None:
            self._forwarder.finish()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, container: Container) -> _Attempt:
        port = _free_port()
        self._attempts += 1
        ports = {
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}",
            # A container has its own network; here a server that would listen on all of this machine's is told not to.
            "UVICORN_HOST": "127.0.0.1",
            "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}",
        }
        # A program that reads it finds its model also where a process cannot be shown a folder at /opt/ml/model.
        model = {"SM_MODEL_DIR": _MODEL}
        running = container.start(
            f"endpoint/{self._endpoint}/{self.instance}/{self._attempts}",
            [*container.image.entrypoint, "serve"],
            {**model, **self.variant.model.environment, **ports},
            self._log,
        )
        pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=_CONNECTIONS, block=False)
        self._attempt = _Attempt(running, pool)
        return self._attempt

    def _await_ping(self, attempt: _Attempt) -> None:
        deadline = time.monotonic() + self.variant.startup_seconds
        pause, last = 0.01, "nothing listened on the port in SAGEMAKER_BIND_TO_PORT"
        while time.monotonic() < deadline and not self._cloud.stopping.is_set() and not self._stopping.is_set():
            code = attempt.running.wait(pause)
            if code is not None:
                raise self._not_healthy(f"The container ended with {_ending(code)} before it answered.")
            pause = min(pause * 1.3, 0.5)
            try:
                answer = attempt.pool.request("GET", "/ping", timeout=_PING_SECONDS, retries=False, redirect=False)
            except urllib3.exceptions.NewConnectionError:
                continue
            except urllib3.exceptions.HTTPError as error:
                last = f"/ping failed ({type(error).__name__})"
                continue
            if answer.status == http.HTTPStatus.OK:
                self.healthy = True
                return
            last = f"/ping answered {answer.status}"
        raise self._not_healthy(f"In {self.variant.startup_seconds:g} s {last}.")

    def _not_healthy(self, found: str) -> StartFailed:
        end = tail(self._log)[-_REASON_LOG_CHARACTERS:]
        return StartFailed(
            f"The primary container for production variant {self.variant.name} did not pass the ping health check. "
            f"Please check CloudWatch logs for this endpoint. {found}"
            + (f" Its log ends: {end}" if end.strip() else "")
        )

    def _watch(self, container: Container, attempt: _Attempt) -> None:
        """Start the container again whenever it ends, with longer pauses the more often it does."""
        failures = 0
        while True:
            up_since = time.monotonic()
            code = attempt.running.wait()
            self.healthy = False
            if self._stopping.is_set() or self._cloud.stopping.is_set():
                return
            failures = 1 if time.monotonic() - up_since > _STEADY_SECONDS else failures + 1
            pause = min(0.25 * 2 ** (failures - 1), _LONGEST_BACKOFF_SECONDS)
            self._note(f"the container ended with {_ending(code)} while in service; it is started again in {pause:g} s")
            self._stopping.wait(pause)
            with self._launching:
                if self._stopping.is_set():
                    return
                attempt = self._launch(container)
            try:
                self._await_ping(attempt)
                self._note("the container is in service again")
            except StartFailed as error:
                if not self._stopping.is_set():
                    _LOG.warning("endpoint %s: %s", self._endpoint, error)
                attempt.running.kill()

    def _note(self, text: str) -> None:
        _LOG.warning("endpoint %s, %s: %s", self._endpoint, self.log_stream, text)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"[local-aws] {text}\n")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
