"""A server under measurement: a process of its own group, timed from its start to its first healthy answer."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServedProcess:
    """A server that answers: its port, and the seconds from its start to its first 200 on its health path."""

    port: int
    start_seconds: float


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    log: Path,
    timeout: float = 120,
    path: str = "/ping",
) -> Iterator[ServedProcess]:
    """Run `command`, which listens on `port` and answers 200 at `path`, while the block runs.

    Raises RuntimeError when it does not come up.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # What a user's machine has: bytecode compiled once.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env={**variables, **environment}, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while not _healthy(port, path):
                if process.poll() is not None or time.perf_counter() - started > timeout:
                    raise RuntimeError(f"{' '.join(command)} did not come up; its log: {log}")
                time.sleep(0.01)
            yield ServedProcess(port, time.perf_counter() - started)
        finally:
            _end(process)


def _healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # Workers that outlive the process that started them.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
