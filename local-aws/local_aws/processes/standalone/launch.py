"""The last steps of a new process before it becomes the job's: session, output, room, folder. Standard library only."""

from __future__ import annotations

import os
import sys
from typing import Any

import rooms

NOT_STARTED = 127


def prepare(spec: dict[str, Any]) -> None:
    """Turn the calling (just forked) process into the one that `spec` describes, short of running its program."""
    os.setsid()
    log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, number)
    if spec["binds"]:
        rooms.enter(spec["binds"])
    os.chdir(spec["cwd"])


def fail(error: BaseException) -> None:
    """End a process that could not be started, with the reason in its log."""
    os.write(2, f"The process could not be started: {type(error).__name__}: {error}\n".encode())
    sys.stdout.flush()
    os._exit(NOT_STARTED)
