"""The one shell of a build: its folder, variables and functions last from command to command and phase to phase.

A command that ends the shell (`exit`) is followed by a new shell, which has the variables and the folder of before.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local_aws.processes.keeper import Running

# The shell reads when to run the script; it tells its variables, folder and the status of what it ran.
_DRIVER = """
_codebuild_tell() {{
  {env} -0 > {folder}/variables.draft && {mv} -f {folder}/variables.draft {folder}/variables || true
  pwd > {folder}/directory || true
  printf '%s\\n' "$1" > {folder}/statuses
}}
while IFS= read -r _ < {folder}/turns; do
  . {folder}/script.sh
  _codebuild_tell "$?"
done
"""
_LOOK_SECONDS = 0.5

# Start a process: argv, environment, folder -> the process.
Starter = Callable[[list[str], dict[str, str], str], Running]


class Stopped(Exception):
    """Somebody stopped the build while a command ran."""


class OutOfTime(Exception):
    """The time of the build was over while a command ran."""


class Shell:
    """`program` run by `start`, with `variables` and in `directory` at first; `folder` is for its own files.

    `deadline` is a time of `time.monotonic()`.
    """

    def __init__(
        self,
        start: Starter,
        program: str,
        folder: Path,
        variables: Mapping[str, str],
        directory: Path,
        deadline: float,
    ) -> None:
        self._start, self._program, self._folder, self._deadline = start, program, folder, deadline
        self._initial, self._directory = dict(variables), str(directory)
        self._running: Running | None = None
        self._stopped = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        folder.mkdir(parents=True)
        for name in ("turns", "statuses"):
            os.mkfifo(folder / name)
        self._turns = os.open(folder / "turns", os.O_RDWR)
        self._statuses = os.open(folder / "statuses", os.O_RDWR)
        self._woken, self._wake = os.pipe()
        (folder / "driver.sh").write_text(
            _DRIVER.format(folder=shlex.quote(str(folder)), env=_program("env"), mv=_program("mv"))
        )

    @property
    def variables(self) -> dict[str, str]:
        """The exported variables as the last command left them."""
        told = self._folder / "variables"
        if not told.exists():
            return dict(self._initial)
        pairs = (item.partition("=") for item in os.fsdecode(told.read_bytes()).split("\0") if item)
        return {name: value for name, _, value in pairs}

    def run(self, command: str) -> int:
        """Run a command; its exit status. Raises `Stopped` and `OutOfTime`, after which the shell is no more."""
        (self._folder / "script.sh").write_text(command + "\n")
        if self._running is None:
            self._running = self._begin()
        running = self._running
        os.write(self._turns, b"\n")
        while True:
            if self._stopped.is_set():
                self.end()
                raise Stopped
            left = self._deadline - time.monotonic()
            if left <= 0:
                self.end()
                raise OutOfTime
            readable, _, _ = select.select([self._statuses, self._woken], [], [], min(left, _LOOK_SECONDS))
            if self._statuses in readable:
                return int(os.read(self._statuses, 64))
            if self._woken in readable:
                os.read(self._woken, 64)
            code = running.wait(0)
            if code is not None and not select.select([self._statuses], [], [], 0)[0]:
                self._running = None
                self._forget_turn()
                return code if code >= 0 else 128 - code

    def stop(self) -> None:
        """Have the command that runs end, from any thread."""
        self._stopped.set()
        self._wake_up()

    def end(self) -> None:
        """End the shell and all that it has left running."""
        if self._running is not None:
            self._running.signal(signal.SIGKILL)
            self._running.wait()
            self._running = None

    def close(self) -> None:
        """End the shell and give up its pipes."""
        self.end()
        with self._closing:
            self._closed = True
            for descriptor in (self._turns, self._statuses, self._woken, self._wake):
                os.close(descriptor)

    def _begin(self) -> Running:
        directory = self._folder / "directory"
        place = directory.read_text().rstrip("\n") if directory.exists() else self._directory
        running = self._start(
            [self._program, str(self._folder / "driver.sh")],
            self.variables,
            place if Path(place).is_dir() else self._directory,
        )

        def tell() -> None:
            running.wait()
            self._wake_up()

        threading.Thread(target=tell, name=f"shell {running.id}", daemon=True).start()
        return running

    def _wake_up(self) -> None:
        with self._closing:
            if not self._closed:
                os.write(self._wake, b".")

    def _forget_turn(self) -> None:
        """Take back the turn that a shell ended without reading, so that the next one waits for its own."""
        while select.select([self._turns], [], [], 0)[0]:
            os.read(self._turns, 64)


def _program(name: str) -> str:
    return f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else name
