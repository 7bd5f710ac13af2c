"""Processes ended in order: asked first, killed when they do not listen."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import psutil

_STOP_SECONDS = 15


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
