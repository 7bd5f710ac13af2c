"""What a server looks at before it serves: its database, its schema, and the room on its disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_server.database import schema
from mlflow_server.database.connection import alone, connected
from mlflow_server.database.url import checked
from mlflow_server.serving import Serving

_SPARE_BYTES = 1024**3


@contextmanager
def passed(serving: Serving) -> Iterator[None]:
    """Look at the database; while the context lasts this server alone prepares it. Loads MLflow.

    Raises `ServerError` for the first thing found that would keep the server from working.
    """
    from mlflow.version import VERSION

    with connected(checked(serving.backend_store_uri)) as connection, alone(connection):
        runs = schema.runs(connection)
        runs.check(VERSION)
        if runs.age is schema.Age.NONE:
            schema.check_alphabet(connection)
        if serving.accounts:
            schema.accounts(connection).check(VERSION)
        yield


def scarce_room(folder: Path) -> str | None:
    """A warning where the disk of a folder is nearly full, else None."""
    free = shutil.disk_usage(folder).free
    if free >= _SPARE_BYTES:
        return None
    return (
        f"The disk of {folder} has {free // 1024**2} MiB left: when it is full, no run can be logged. "
        "Make room, or move the folder and name it with --home."
    )
