"""A program that serves in the background: started until it answers, found again, and stopped by its process.

service.json  the process that serves, while it does
port          the port it had last, which it takes again where it is free
log           what it said; log.1 is the one before
lock          held while it is being started
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from mlflow_server.errors import ServerError
from mlflow_server.processes import Running
from mlflow_server.stack.identity import SAME, Identity

_START_SECONDS = 60
_STOP_SECONDS = 20
_LOOK_SECONDS = 0.05
_LOG_BYTES = 16 * 1024 * 1024
_PORTS_TRIED = 3


@dataclass(frozen=True)
class Service:
    """A named program with a folder of its own, in which it works.

    `program` is what its processes are called, `ending` the signal after which it ends in order.
    """

    name: str
    folder: Path
    program: str
    ending: signal.Signals = signal.SIGTERM

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def _record(self) -> Path:
        return self.folder / "service.json"

    @property
    def _port(self) -> Path:
        return self.folder / "port"

    def running(self) -> Running | None:
        """The process that serves, or None; a copied folder does not own the process of its original."""
        running = Running.recorded_in(self._record)
        process = running.process() if running else None
        return running if process and self._works_here(process, unknown=True) else None

    def start(
        self,
        command: Callable[[int], list[str]],
        environment: Mapping[str, str],
        answers: Callable[[int], bool],
        identity: Identity = SAME,
    ) -> Running:
        """Start the program until it answers, on the port it had last where that is free; one that runs is left.

        Raises `ServerError` with the end of its log where it does not start.
        """
        with self._starting():
            running = self.running()
            if running and running.folder == str(self.folder):
                return running
            self._end([running.process()] if running else [])
            self._end(self._left_over())
            self._turn_log()
            for _ in range(_PORTS_TRIED):
                port = self._free_port()
                started = self._spawn(command(port), port, environment, identity)
                if self._comes_up(started, answers):
                    self._port.write_text(str(port))
                    return started
                self.stop()
                if not listens(port):
                    break
            said = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
            raise ServerError(f"The {self.name} did not start (log: {self.log}):\n{said}")

    def stop(self) -> bool:
        """Stop the program and its children; False when it did not run."""
        running = self.running()
        left = self._left_over() if self.folder.exists() else []
        self._end([running.process()] if running else left)
        self._record.unlink(missing_ok=True)
        return bool(running or left)

    def _spawn(self, command: list[str], port: int, environment: Mapping[str, str], identity: Identity) -> Running:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*identity.prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                cwd=self.folder,
                start_new_session=True,
                **identity.user(),
            )
        started = Running(process.pid, psutil.Process(process.pid).create_time(), port, str(self.folder))
        started.record_in(self._record)
        return started

    def _comes_up(self, started: Running, answers: Callable[[int], bool]) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            process = started.process()
            if process is None:
                return False
            # Something else may listen on the port that this program has yet to find taken.
            if answers(started.port) and _listens_on(process, started.port):
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def _end(self, processes: list[psutil.Process | None]) -> None:
        family: list[psutil.Process] = []
        for process in processes:
            if process is None:
                continue
            try:
                family += [process, *process.children(recursive=True)]
                process.send_signal(self.ending)
            except psutil.NoSuchProcess:
                continue
        _, left = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for member in left:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=_STOP_SECONDS)

    def _left_over(self) -> list[psutil.Process | None]:
        """Processes of this program that work in this folder without a record: their starter was killed."""
        return [
            process
            for process in psutil.process_iter(["name"])
            if process.info["name"] == self.program and self._works_here(process, unknown=False)
        ]

    def _works_here(self, process: psutil.Process, *, unknown: bool) -> bool:
        try:
            # A folder that was moved moves its processes' too, a copy of it has none.
            return Path(process.cwd()).is_relative_to(self.folder.resolve())
        except (psutil.AccessDenied, psutil.ZombieProcess, FileNotFoundError):
            return unknown
        except psutil.NoSuchProcess:
            return False

    def _free_port(self) -> int:
        try:
            last = int(self._port.read_text())
        except (FileNotFoundError, ValueError):
            return free_port()
        return last if not listens(last) else free_port()

    def _turn_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.folder / "log.1")

    @contextmanager
    def _starting(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


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


def _listens_on(process: psutil.Process, port: int) -> bool:
    try:
        family = [process, *process.children(recursive=True)]
        return any(it.laddr.port == port for member in family for it in member.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
