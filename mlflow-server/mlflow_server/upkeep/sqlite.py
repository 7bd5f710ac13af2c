"""An SQLite database copied while it is written to, by SQLite's own backup.

https://www.sqlite.org/backup.html
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow_server.errors import ServerError
from mlflow_server.upkeep.archive import Archive, Draft

MEMBER = "database/mlflow.db"


def dump(database: Path, name: str, draft: Draft) -> None:
    """Copy a database beside the archive, and into it by that name; raises `ServerError` where that cannot be done."""
    copy = draft.folder / f".{database.name}.copy"
    copy.unlink(missing_ok=True)
    try:
        copy.touch(mode=0o600)
        with (
            closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            # In one step, since copying page by page begins anew whenever another process writes.
            source.backup(target, pages=-1)
        draft.add(name, copy, pressed=True)
    except sqlite3.Error as error:
        raise ServerError(f"The database {database} could not be copied to {draft.folder}: {error}.") from error
    finally:
        copy.unlink(missing_ok=True)


def load(archive: Archive, database: Path) -> None:
    """Put the database of a backup where there is none."""
    archive.unpack(MEMBER, database)


def has_tables(database: Path) -> bool:
    """Whether there is a database with anything in it."""
    return database.exists() and database.stat().st_size > 0
