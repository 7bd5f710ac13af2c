"""A backup: the database as it is at one moment, then every artifact of one's own stores, and how the server was told.

database/   the dump, by the database's own means
artifacts/  the folder of the embedded mode
objects/    the buckets of the object store that `up --postgres` starts
home/       settings, secrets and the folders of projects: the archive is as private as they are
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.isolated import database_name
from mlflow_server.settings import Settings
from mlflow_server.stack.objects import UNFINISHED
from mlflow_server.upkeep import sqlite
from mlflow_server.upkeep.archive import Draft, drafted
from mlflow_server.upkeep.databases import MYSQL, POSTGRESQL, STACK, Database, database_of
from mlflow_server.upkeep.manifest import Manifest, Source

_DATABASE, _BESIDE = "mlflow.db", ("journal", "wal", "shm")
# Of the processes that serve, or taken by other means, or backups themselves.
_LEFT = frozenset(("server.json", "lock", "changing", "backups", "metrics", *(f"{_DATABASE}-{it}" for it in _BESIDE)))
_PASSING = (".log", ".new", ".partial", ".copy")
_TAKEN_OTHERWISE = frozenset(("artifacts", "objects", "postgres", _DATABASE))


def back_up(home: Home, path: Path, now: datetime) -> Manifest:
    """Write a backup of a home to `path`, whether its server is up or not; a database that is down is started for it.

    Artifacts come after the database, so that each one that it names is there. Raises `ServerError` where the home
    holds nothing or is a project's, the database cannot be read, or the archive cannot be written: nothing of it is
    left then.
    """
    settings = Settings.kept_in(home.folder)
    refuse_nothing(home, settings)
    with drafted(path, home.folder) as draft, database_of(home, settings) as database:
        source = _source(home, database, settings, now)
        database.dump(draft)
        if settings.artifacts_destination is None:
            if database.store == STACK:
                _take(home.folder / "objects" / "data", "objects", draft)
            else:
                _take(home.artifacts, "artifacts", draft)
        databases = {home.project(each).folder / _DATABASE for each in home.projects()}
        for file in _kept(home):
            name = f"home/{file.relative_to(home.folder).as_posix()}"
            if file in databases:
                sqlite.dump(file, name, draft)
            else:
                draft.add(name, file)
        return draft.close(source)


def refuse_nothing(home: Home, settings: Settings) -> None:
    """Raises `ServerError` where a folder was never a server's, or is a project's that lives from another's stores."""
    if not any((home.folder / name).exists() for name in (_DATABASE, "settings.json", "postgres")):
        raise ServerError(f"{home.folder} holds no server: name the folder of one with --home.")
    if settings.shared_from:
        raise ServerError(
            f"{home.folder} is a project of {settings.shared_from}, in whose stores its data is: name that with --home."
        )


def _source(home: Home, database: Database, settings: Settings, now: datetime) -> Source:
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.exc import DatabaseError

    engine = create_engine(database.url)
    try:
        with engine.connect() as connection:
            release = ".".join(str(part) for part in connection.dialect.server_version_info or ())
            empty = not inspect(connection).has_table("alembic_version")
            schema = None if empty else connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DatabaseError as error:
        raise ServerError(f"The database cannot be read: {error.orig}") from error
    finally:
        engine.dispose()
    return Source(
        made_at=now.isoformat(timespec="seconds"),
        mlflow=version("mlflow"),
        store=database.store,
        database_version=release,
        schema=schema,
        left_out=tuple(_left_out(home, database, settings)),
    )


def _left_out(home: Home, database: Database, settings: Settings) -> Iterator[str]:
    if settings.artifacts_destination:
        yield f"the artifacts in {settings.artifacts_destination}, which is not of this folder"
    if database.store in (POSTGRESQL, MYSQL):
        for name in home.projects():
            yield f"the database {database_name(home.project(name))} of the project {name}, which is not of this folder"


def _take(folder: Path, name: str, draft: Draft) -> None:
    for file in _files(folder):
        if not any(file.match(pattern) for pattern in UNFINISHED):
            draft.add(f"{name}/{file.relative_to(folder).as_posix()}", file)


def _kept(home: Home) -> Iterator[Path]:
    """The other files of a home, and all those of its projects."""
    servers = {home.folder, *(home.project(name).folder for name in home.projects())}
    for path, folders, files in os.walk(home.folder):
        here = Path(path)
        left = (_LEFT if here in servers else frozenset()) | (_TAKEN_OTHERWISE if here == home.folder else frozenset())
        folders[:] = sorted(set(folders) - left)
        yield from (
            here / name for name in sorted(set(files) - left) if here not in servers or not name.endswith(_PASSING)
        )


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(path, name) for name in sorted(files))
