"""A database's own dump and load programs, run with their bytes passed through and their words kept for the error."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, cast

from mlflow_server.errors import ServerError
from mlflow_server.upkeep.archive import Sink

_CHUNK = 1024 * 1024


def run_into(sink: Sink, command: list[str], secret: Mapping[str, str]) -> None:
    """Write what a command prints; raises `ServerError` with what it said where it fails."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env={**os.environ, **secret}) as process,
    ):
        output = cast(IO[bytes], process.stdout)
        try:
            while chunk := output.read(_CHUNK):
                sink.write(chunk)
        except BaseException:
            process.kill()
            raise
        _refuse(process.wait(), said, command[0])


def run_from(chunks: Iterable[bytes], command: list[str], secret: Mapping[str, str]) -> None:
    """Feed a command; raises `ServerError` with what it said where it fails."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env={**os.environ, **secret}
        ) as process,
    ):
        taken = cast(IO[bytes], process.stdin)
        try:
            for chunk in chunks:
                taken.write(chunk)
            taken.close()
        except BrokenPipeError:
            # It ended early, and its exit code and words say why.
            process.wait()
        except BaseException:
            process.kill()
            raise
        _refuse(process.wait(), said, command[0])


def _refuse(code: int, said: IO[bytes], program: str) -> None:
    if code:
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        raise ServerError(f"{Path(program).name} ended with {code}: {' '.join(lines[-3:]) or 'it said nothing'}")
