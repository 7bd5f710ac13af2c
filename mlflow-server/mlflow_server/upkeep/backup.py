"""A backup: the database as it is at one moment, then every artifact of one's own stores, and how the server was told.

database/   the dump, by the database's own means
artifacts/  the folder of the embedded mode
objects/    the buckets of the object store that `up --postgres` starts
home/       settings, secrets and projects: the archive is as private as they are
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.settings import Settings
from mlflow_server.stack.objects import UNFINISHED
from mlflow_server.upkeep import schema
from mlflow_server.upkeep.archive import Draft, drafted
from mlflow_server.upkeep.databases import STACK, Database, database_of
from mlflow_server.upkeep.manifest import Manifest, Source

# Of the processes that serve, or taken by other means, or backups themselves.
_LEFT = frozenset(
    (
        *("server.json", "lock", "changing", "postgres", "objects", "artifacts", "metrics", "backups"),
        *("mlflow.db", "mlflow.db-journal", "mlflow.db-wal", "mlflow.db-shm"),
    )
)


def back_up(home: Home, path: Path, now: datetime) -> Manifest:
    """Write a backup of a home to `path`, whether its server is up or not; a database that is down is started for it.

    Artifacts come after the database, so that each one that it names is there. Raises `ServerError` where the home
    holds nothing, the database cannot be read, or the archive cannot be written: nothing of it is left then.
    """
    settings = Settings.kept_in(home.folder)
    if not holds_something(home):
        raise ServerError(f"{home.folder} holds no server: name the folder of one with --home.")
    with drafted(path) as draft, database_of(home, settings) as database:
        source = _source(database, settings, now)
        database.dump(draft)
        if settings.artifacts_destination is None:
            if database.store == STACK:
                _take(home.folder / "objects" / "data", "objects", draft)
            else:
                _take(home.artifacts, "artifacts", draft)
        for file in _told(home.folder):
            draft.add(f"home/{file.relative_to(home.folder).as_posix()}", file)
        return draft.close(source)


def holds_something(home: Home) -> bool:
    """Whether a folder has been a server's."""
    return any((home.folder / name).exists() for name in ("mlflow.db", "settings.json", "credentials.json", "postgres"))


def _source(database: Database, settings: Settings, now: datetime) -> Source:
    from sqlalchemy import create_engine

    engine = create_engine(database.url)
    with engine.connect() as connection:
        release = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    engine.dispose()
    return Source(
        made_at=now.isoformat(timespec="seconds"),
        mlflow=version("mlflow"),
        store=database.store,
        database_version=release,
        schema=schema.found(database.url).runs,
        left_out=(settings.artifacts_destination,) if settings.artifacts_destination else (),
    )


def _take(folder: Path, name: str, draft: Draft) -> None:
    for file in _files(folder):
        if not any(file.match(pattern) for pattern in UNFINISHED):
            draft.add(f"{name}/{file.relative_to(folder).as_posix()}", file)


def _told(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT)
        yield from (
            Path(path, name) for name in sorted(set(files) - _LEFT) if not name.endswith((".log", ".new", ".partial"))
        )


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(path, name) for name in sorted(files))
