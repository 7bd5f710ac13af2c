"""Serving processes found again by the record of them, and ended in order: asked first, killed when they do not listen.

https://psutil.readthedocs.io/en/latest/#psutil.Process: a number alone may be another process's by now.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_STOP_SECONDS = 15


@dataclass(frozen=True)
class Running:
    """A process that serves on a port of 127.0.0.1; `started` tells it from another that got its number later.

    `folder` is where its data lay when it was started.
    """

    pid: int
    started: float
    port: int
    folder: str = ""

    @classmethod
    def recorded_in(cls, path: Path) -> Running | None:
        """The process that a file tells of, alive or not; None where there is no such file, or not all of it."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def record_in(self, path: Path) -> None:
        """Write it to a file, whole or not at all."""
        draft = path.with_suffix(".new")
        try:
            draft.write_text(json.dumps(asdict(self)))
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    @property
    def tracking_uri(self) -> str:
        """Where a tracking server is reached."""
        return f"http://127.0.0.1:{self.port}"

    def process(self) -> psutil.Process | None:
        """The process, or None when it is gone."""
        try:
            process = psutil.Process(self.pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 1
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


def end(processes: Sequence[psutil.Process]) -> None:
    """End processes and wait until they are gone; who has gone meanwhile is no error."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_STOP_SECONDS)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that descend from it; none when it is gone."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
