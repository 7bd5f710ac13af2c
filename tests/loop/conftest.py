"""`make demo` in a folder of a test's own, and the processes that belong to that folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]


class Walk:
    """A walk of the demo whose `.local` is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / f"walk-{len(list(folder.glob('walk-*.log'))) + 1}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo"],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / ".local" / "demo" / "summary.json").read_text())

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Wait until the walk has printed a text; fails where it ends without."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert self.process.poll() is None, f"the walk ended without {text!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"the walk did not print {text!r}:\n{self.output}"
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Press Ctrl-C: SIGINT to the whole foreground group, as a terminal does; the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(120)

    def processes(self) -> list[str]:
        """The command lines of all processes that live in the folder or were told of it."""
        found = []
        for process in psutil.process_iter():
            try:
                told = [process.cwd(), *process.cmdline(), *process.environ().values()]
            except (psutil.Error, OSError):
                continue
            if process.status() != psutil.STATUS_ZOMBIE and any(str(self.folder) in word for word in told):
                found.append(" ".join(process.cmdline()))
        return found


@pytest.fixture
def start_walk(tmp_path: Path) -> Iterator[Callable[[], Walk]]:
    """Start walks, all in one folder as in a checkout; whatever is left of them at the end of the test is killed."""
    walks: list[Walk] = []

    def start() -> Walk:
        walks.append(Walk(tmp_path))
        return walks[-1]

    yield start
    for walk in walks:
        if walk.process.poll() is None:
            walk.interrupt()
