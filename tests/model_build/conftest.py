"""What the tests of model_build stand on: prepared splits, train.py as a process, and servers that fail."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "model-build" / "source"

# The modules that run inside jobs import each other by their plain names, as they do in the container.
sys.path.insert(0, str(SOURCE))


@dataclass(frozen=True)
class Job:
    """How a job ended: exit code, what it printed, and the failure reason it left for the platform."""

    code: int
    output: str
    failure: str
    folder: Path


def plain_environment(**more: str) -> dict[str, str]:
    """The environment of a child process: nothing of the person's AWS, MLflow or SageMaker settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MLFLOW_", "SAGEMAKER_", "SM_", "CODEBUILD_", "SOURCE_"))
        and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "DO_NOT_TRACK": "true", **more}


@pytest.fixture(scope="session")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with iris as prepare.py leaves it: processing/train, processing/validation, processing/test."""
    base = tmp_path_factory.mktemp("prepared")
    subprocess.run([sys.executable, SOURCE / "prepare.py", "--base", base], check=True, env=plain_environment())
    return base / "processing"


Warm = Callable[[Mapping[str, str], list[str], Path], int]


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Run a job in a fork of a process that has imported train.py, which takes longest of all; its exit code."""
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("warm_training.py")],
        env=plain_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout

        def run(environment: Mapping[str, str], arguments: list[str], output: Path) -> int:
            job = {"environment": environment, "arguments": arguments, "output": str(output)}
            print(json.dumps(job), file=process.stdin, flush=True)
            return int(process.stdout.readline())  # type: ignore[union-attr]

        try:
            yield run
        finally:
            process.kill()


class Trainer:
    """Runs train.py as SageMaker's script mode does, each time in folders of its own."""

    def __init__(self, splits: Path, folder: Path, warm: Warm) -> None:
        self.splits = splits
        self.folder = folder
        self._warm = warm
        self._jobs = 0

    def start(
        self, environment: Mapping[str, str] | None = None, source: Path = SOURCE, **arguments: object
    ) -> tuple[subprocess.Popen[str], Path]:
        """Start a job as a process of its own; returns it and its folder."""
        folder, variables, flags = self._job(environment, arguments)
        process = subprocess.Popen(
            [sys.executable, source / "train.py", *flags],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return process, folder

    def run_alone(self, environment: Mapping[str, str] | None = None, **arguments: object) -> Job:
        """Run a job to its end in a process of its own."""
        process, folder = self.start(environment, **arguments)
        try:
            output, _ = process.communicate(timeout=120)
        finally:
            process.kill()
        return _ended(process.returncode, output, folder)

    def __call__(self, environment: Mapping[str, str] | None = None, **arguments: object) -> Job:
        """Run a job to its end, started warm."""
        folder, variables, flags = self._job(environment, arguments)
        folder.mkdir(parents=True)
        code = self._warm(variables, flags, folder / "log")
        return _ended(code, (folder / "log").read_text(), folder)

    def _job(
        self, environment: Mapping[str, str] | None, arguments: Mapping[str, object]
    ) -> tuple[Path, dict[str, str], list[str]]:
        self._jobs += 1
        folder = self.folder / f"job-{self._jobs}"
        variables = {
            **{f"SM_CHANNEL_{name.upper()}": str(self.splits / name) for name in ("train", "validation", "test")},
            "SM_MODEL_DIR": str(folder / "model"),
            "SM_OUTPUT_DIR": str(folder / "output"),
            **(environment or {}),
        }
        flags = [text for name, value in arguments.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        return folder, plain_environment(**variables), flags


def _ended(code: int, output: str, folder: Path) -> Job:
    failure = folder / "output" / "failure"
    return Job(code, output, failure.read_text() if failure.exists() else "", folder)


@pytest.fixture(scope="session")
def make_trainer(splits: Path, warm: Warm) -> Callable[[Path], Trainer]:
    return lambda folder: Trainer(splits, folder, warm)


@pytest.fixture
def train(make_trainer: Callable[[Path], Trainer], tmp_path: Path) -> Trainer:
    return make_trainer(tmp_path)


@pytest.fixture
def answering() -> Iterator[Callable[[int], str]]:
    """Start a server that gives every request the same status; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def stopping_server(mlflow_uri: str) -> Iterator[Callable[[bytes], str]]:
    """Start a way to the MLflow server that ends, as the server would, once a request with these bytes has passed."""
    ways: list[StoppingWay] = []

    def start(last: bytes) -> str:
        ways.append(StoppingWay(int(mlflow_uri.rpartition(":")[2]), last))
        return f"http://127.0.0.1:{ways[-1].port}"

    yield start
    for way in ways:
        way.stop()


class StoppingWay:
    """Passes connections on to a port until a request with the bytes `last` has its answer; from then on it refuses."""

    def __init__(self, to: int, last: bytes) -> None:
        self._to, self._last = to, last
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._is_over = False
        self._open: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self, spared: tuple[socket.socket, ...] = ()) -> None:
        """Take no more connections, and end those there are but for the spared."""
        with self._lock:
            self._is_over = True
            _end(self._listening, *(each for each in self._open if each not in spared))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                with self._lock:
                    self._open += [client, server]
                    if self._is_over:
                        _end(client, server)
                        return
                exchange = _Exchange(client, server, self._last, self.stop)
                threading.Thread(target=exchange.pass_requests, daemon=True).start()
                threading.Thread(target=exchange.pass_answers, daemon=True).start()


class _Exchange:
    """One connection. Its last request may come in parts, its answer too: over is over when the client speaks again."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        last: bytes,
        stop: Callable[[tuple[socket.socket, ...]], None],
    ) -> None:
        self._client, self._server = client, server
        self._last, self._stop = last, stop
        self._is_last = self._is_answered = False

    def pass_requests(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(1 << 16):
                if self._is_answered:
                    _end(self._client, self._server)
                    return
                if self._last in data:
                    # Before the server has the request: whoever has its answer finds nobody here any more.
                    self._stop((self._client, self._server))
                    self._is_last = True
                self._server.sendall(data)
            self._server.shutdown(socket.SHUT_WR)

    def pass_answers(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(1 << 16):
                self._is_answered = self._is_last
                self._client.sendall(data)
            self._client.shutdown(socket.SHUT_WR)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
