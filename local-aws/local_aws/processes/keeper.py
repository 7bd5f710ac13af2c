"""The server's side of the keeper: start a process, wait for it, signal it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.processes import warmth

_KEEPER = Path(__file__).parent / "standalone" / "keeper_main.py"
MARK = "LOCAL_AWS_PROCESS"


@dataclass(frozen=True)
class ProcessSpec:
    """A process to start.

    `binds` are (host folder, absolute path) pairs that only this process and its children see; `sources`, where given,
    is the host folder of the script in `argv[1]`: such a process may be forked from one that has its imports done.
    """

    id: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: Path
    binds: tuple[tuple[str, str], ...] = ()
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
        self._code = code
        self._ended.set()


class Keeper:
    """Starts the keeper process and speaks with it; `close` (or the end of this process) ends everything it keeps."""

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair()
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, str(_KEEPER), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()
        self._socket = ours
        self._lines = ours.makefile("rb")
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self.has_rooms: bool = json.loads(self._lines.readline())["rooms"]
        threading.Thread(target=self._listen, name="keeper", daemon=True).start()

    def start(self, spec: ProcessSpec) -> Running:
        """Start a process; it is running, or has ended with its reason in its log, when `wait` says so."""
        running = Running(self, spec.id)
        with self._lock:
            self._running[spec.id] = running
        self.send(
            {
                "id": spec.id,
                "argv": spec.argv,
                "env": {**spec.env, MARK: spec.id},
                "cwd": spec.cwd,
                "log": str(spec.log),
                "binds": spec.binds,
                **(warmth.of(spec) if spec.sources else {}),
            }
        )
        return running

    def send(self, message: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError, ConnectionError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """Kill every process and the keeper itself."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()

    def _listen(self) -> None:
        for line in self._lines:
            message = json.loads(line)
            if "started" in message:
                self._running[message["started"]].pid = message["pid"]
            else:
                with self._lock:
                    running = self._running.pop(message["exited"], None)
                if running:
                    running.ended(message["code"])
        with self._lock:
            left, self._running = self._running, {}
        for running in left.values():
            running.ended(-signal.SIGKILL)
