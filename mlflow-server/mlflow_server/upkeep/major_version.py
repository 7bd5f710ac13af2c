"""Data of an older PostgreSQL moved to this one, by way of a backup: a major version cannot read another's files.

https://www.postgresql.org/docs/current/upgrading.html
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mlflow_server.credentials import Credentials
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.stack.postgres import Postgres
from mlflow_server.stack.programs import MAJOR as MAJOR
from mlflow_server.upkeep.archive import opened
from mlflow_server.upkeep.databases import STACK, Database


def older(home: Home) -> int | None:
    """The major version of PostgreSQL that made a home's data, where it is another than the one that would serve it."""
    major = Postgres(home.folder / "postgres", "").major
    return None if major == MAJOR else major


def move(home: Home, backup: Path) -> None:
    """Load the databases of a backup into data of this PostgreSQL; the older data comes back where that fails.

    Raises `ServerError` where the backup is damaged, or what was put aside by another attempt is in the way.
    """
    credentials, _ = Credentials.kept_in(home.folder)
    postgres = Postgres(home.folder / "postgres", credentials.database_password)
    postgres.stop()
    aside = home.folder / "backups" / f"postgres-{postgres.major}"
    if aside.exists():
        raise ServerError(f"{aside} is there from another attempt: put it elsewhere, since the data would go there.")
    aside.parent.mkdir(exist_ok=True)
    postgres.folder.rename(aside)
    try:
        with opened(backup) as archive:
            archive.check()
            Database(STACK, postgres.url(postgres.start().port)).load(archive)
        postgres.stop()
    except BaseException:
        postgres.stop()
        shutil.rmtree(postgres.folder, ignore_errors=True)
        aside.rename(postgres.folder)
        raise
    shutil.rmtree(aside)
