"""The last steps of a new process before it becomes the job's: session, output, room, folder. Standard library only."""

from __future__ import annotations

import os
import sys
from typing import Any

import rooms

NOT_STARTED = 127


def child_of_this(spec: dict[str, Any]) -> tuple[int, int]:
    """Fork. In the child: become the process that `spec` describes, short of running its program, and return (0, 0).

    In the parent: return the child's pid and the inode of its mount namespace (0 where it has none of its own), by
    which all that ever descends from it is known, wherever it moves.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            _prepare(spec)
            os.write(write, str(_namespace() if _has_room(spec) else 0).encode())
            os.close(write)
        except OSError as error:
            fail(error)
        return 0, 0
    os.close(write)
    told = os.read(read, 32)
    os.close(read)
    return pid, int(told or 0)


def _prepare(spec: dict[str, Any]) -> None:
    os.setsid()
    log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, number)
    if _has_room(spec):
        rooms.enter(spec["binds"], spec.get("overlays", ()))
    os.chdir(spec["cwd"])


def _has_room(spec: dict[str, Any]) -> bool:
    return bool(spec["binds"] or spec.get("overlays"))


def _namespace() -> int:
    return os.stat("/proc/self/ns/mnt").st_ino


def fail(error: BaseException) -> None:
    """End a process that could not be started, with the reason in its log."""
    os.write(2, f"The process could not be started: {type(error).__name__}: {error}\n".encode())
    sys.stdout.flush()
    os._exit(NOT_STARTED)
