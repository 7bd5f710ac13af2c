"""Files that only their owner reads, secrets and settings: written whole or not at all, and told when damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow_server.errors import ServerError


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all; raises `ServerError` where there is no room."""
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ServerError(
            f"{path} cannot be written ({error.strerror}): make room on its disk, give this user the right to write "
            "there, or name another folder with --home."
        ) from error


@contextmanager
def damage_told(path: Path, remedy: str) -> Iterator[None]:
    """Raise `ServerError` with `remedy` where what is read of a file in this context is not what was written to it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServerError(f"{path} is damaged, it does not hold what was written to it: {remedy}") from error
