"""The server's side of the keeper: start a process, wait for it, signal it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from local_aws.processes import warmth

_LOG = logging.getLogger(__name__)
_KEEPER = Path(__file__).parent / "standalone" / "keeper_main.py"
MARK = "LOCAL_AWS_PROCESS"
KEPT = "LOCAL_AWS_KEEPER"


@dataclass(frozen=True)
class ProcessSpec:
    """A process to start.

    `binds` are (host folder, absolute path) pairs that only this process and its children see; `overlays` are (folder,
    upper, work): what they change in that folder goes to `upper`, seen by them alone. `sources`, where given, is the
    host folder of the script in `argv[1]`: such a process may be forked from one that has its imports done.
    """

    id: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: Path
    binds: tuple[tuple[str, str], ...] = ()
    overlays: tuple[tuple[str, str, str], ...] = ()
    sources: Path | None = None


class Running:
    """A process that was started."""

    def __init__(self, keeper: Keeper, name: str) -> None:
        self.id = name
        self.pid: int | None = None
        self._keeper = keeper
        self._code: int | None = None
        self._ended = threading.Event()

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (negative: the signal that ended it), or None while it runs after `timeout` seconds."""
        self._ended.wait(timeout)
        return self._code

    def signal(self, number: int) -> None:
        """Send a signal to the process and all it has started."""
        self._keeper.send({"id": self.id, "signal": int(number)})

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def ended(self, code: int) -> None:
        """Told by the keeper."""
        self._code = code
        self._ended.set()


class Keeper:
    """Starts the keeper process and speaks with it; `close` (or the end of this process) ends everything it keeps.

    A keeper process that is killed takes the processes it kept with it, and another takes its place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Running] = {}
        self._lock = threading.RLock()
        self._closing = False
        self.has_rooms = self._spawn()

    def start(self, spec: ProcessSpec) -> Running:
        """Start a process; it is running, or has ended with its reason in its log, when `wait` says so."""
        running = Running(self, spec.id)
        message = {
            "id": spec.id,
            "argv": spec.argv,
            "env": {**spec.env, MARK: spec.id, KEPT: self._name},
            "cwd": spec.cwd,
            "log": str(spec.log),
            "binds": spec.binds,
            "overlays": spec.overlays,
            **(warmth.of(spec) if spec.sources else {}),
        }
        with self._lock:
            self._running[spec.id] = running
            self.send(message)
        return running

    def send(self, message: dict[str, Any]) -> None:
        """Tell the keeper; where it is gone, `_listen` ends what it kept."""
        with self._lock, contextlib.suppress(BrokenPipeError, ConnectionError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """Kill every process and the keeper itself."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()

    def _spawn(self) -> bool:
        """Start a keeper process; whether its processes can have rooms of their own."""
        warm = self._folder / "warm"
        shutil.rmtree(warm, ignore_errors=True)
        self._name = uuid.uuid4().hex
        self._socket, theirs = socket.socketpair()
        with (self._folder / "keeper.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(_KEEPER), str(theirs.fileno()), str(warm)],
                env={**os.environ, KEPT: self._name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()
        lines = self._socket.makefile("rb")
        has_rooms: bool = json.loads(lines.readline())["rooms"]
        threading.Thread(target=self._listen, args=(lines,), name="keeper", daemon=True).start()
        return has_rooms

    def _listen(self, lines: BinaryIO) -> None:
        with contextlib.suppress(ConnectionError):
            for line in lines:
                message = json.loads(line)
                if "started" in message:
                    with self._lock:
                        started = self._running.get(message["started"])
                    if started:
                        started.pid = message["pid"]
                    continue
                with self._lock:
                    running = self._running.pop(message["exited"], None)
                if running:
                    running.ended(message["code"])
        with self._lock:
            left, self._running = self._running, {}
            if not self._closing:
                _LOG.error("the keeper process is gone: what it kept is ended, and another is started")
                self._process.wait()
                self._end_orphans()
                self._spawn()
        for running in left.values():
            running.ended(-signal.SIGKILL)

    def _end_orphans(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(KEPT) == self._name:
                    process.kill()
