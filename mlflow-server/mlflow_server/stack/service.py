"""A program that serves in the background: started until it answers, found again, and stopped by its process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from mlflow_server.errors import ServerError

_START_SECONDS = 60
_STOP_SECONDS = 20
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Running:
    """A process that serves on a port of 127.0.0.1; `started` tells it from another that got its number later."""

    pid: int
    started: float
    port: int

    def process(self) -> psutil.Process | None:
        """The process, or None when it is gone."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 1
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


@dataclass(frozen=True)
class Service:
    """A named program with a folder of its own: `service.json` there names the process, `log` what it said."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def _record(self) -> Path:
        return self.folder / "service.json"

    def running(self) -> Running | None:
        """The process that serves, or None."""
        try:
            running = Running(**json.loads(self._record.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return running if running.process() else None

    def start(
        self, command: list[str], port: int, environment: Mapping[str, str], answers: Callable[[int], bool]
    ) -> Running:
        """Start the program until it answers; raises `ServerError` with the end of its log where it does not."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        running = Running(process.pid, psutil.Process(process.pid).create_time(), port)
        self._record.write_text(json.dumps(asdict(running)))
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if answers(port):
                return running
            time.sleep(_LOOK_SECONDS)
        self.stop()
        said = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        raise ServerError(f"The {self.name} did not start (log: {self.log}):\n{said}")

    def stop(self) -> bool:
        """Stop the program and its children; False when it did not run."""
        running = self.running()
        process = running.process() if running else None
        if process is None:
            return False
        family = [process, *process.children(recursive=True)]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for member in left:
            member.kill()
        psutil.wait_procs(left, timeout=_STOP_SECONDS)
        self._record.unlink(missing_ok=True)
        return True


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
