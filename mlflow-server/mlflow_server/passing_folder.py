"""A folder for the secrets of a server without a home: it ends with the server, or is removed by the next that starts.

https://docs.python.org/3/library/fcntl.html#fcntl.flock: a lock ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlflow_server.serving import ACCOUNTS_FILE

_PREFIX = "mlflow-server-"


@contextmanager
def passing_folder() -> Iterator[Path]:
    """A private folder that lasts as long as the context; those that killed servers left are removed."""
    _remove_left(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        held = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(held)


def _remove_left(place: Path) -> None:
    # A folder without the file may be one that is not held yet.
    for file in place.glob(f"{_PREFIX}*/{ACCOUNTS_FILE}"):
        folder = file.parent
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            continue
        with suppress(FileNotFoundError):
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            except BlockingIOError:
                continue
            finally:
                os.close(held)
