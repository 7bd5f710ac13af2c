"""`make demo` in a folder of a test's own, and the processes that belong to that folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow_server.settings import Settings

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


@contextmanager
def _walks(folder: Path) -> Iterator[Callable[[], Walk]]:
    """Start walks, all in one folder as in a checkout; whatever is left of them at the end is killed."""
    walks: list[Walk] = []

    def start() -> Walk:
        walks.append(Walk(folder))
        return walks[-1]

    try:
        yield start
    finally:
        for walk in walks:
            if walk.process.poll() is None:
                walk.interrupt()


@pytest.fixture
def start_walk(tmp_path: Path) -> Iterator[Callable[[], Walk]]:
    """Start walks in a folder of the test's own."""
    with _walks(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_in_one_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Walk]]:
    """Start walks in a folder where there is a server of one's own, which asks for passwords: not the rehearsal's."""
    folder = tmp_path_factory.mktemp("walk")
    own = folder / ".local" / "mlflow"
    own.mkdir(parents=True)
    Settings(postgres=True).keep_in(own)
    with _walks(folder) as start:
        yield start


@pytest.fixture(scope="module")
def whole_walk(start_in_one_folder: Callable[[], Walk]) -> Walk:
    """A walk that has come to its end, the first in its folder."""
    walk = start_in_one_folder()
    assert walk.process.wait(280) == 0, walk.output
    return walk
