"""The schema in a database against the one this MLflow works with: the same, none yet, older or not known.

MLflow keeps the revision of its tables in `alembic_version`, that of its accounts' in `alembic_version_auth`.
https://mlflow.org/docs/latest/self-hosting/migration/
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from mlflow_server.errors import ServerError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


class Age(Enum):
    """How a schema stands to the one that is needed."""

    NONE = "none yet"
    SAME = "the same"
    OLDER = "older"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Schema:
    """One of MLflow's sets of tables: the revision `found` in a database (None: no tables) and the one `needed`."""

    tables: str
    found: str | None
    needed: str
    age: Age

    def check(self, version: str) -> None:
        """Raise `ServerError` where MLflow of `version` cannot work with this schema."""
        if self.age is Age.OLDER:
            raise ServerError(
                f"The database's schema for {self.tables} (revision {self.found}) is older than MLflow {version} needs "
                f"(revision {self.needed}): run `mlflow-server upgrade`, which takes a backup first."
            )
        if self.age is Age.UNKNOWN:
            raise ServerError(
                f"The database's schema for {self.tables} (revision {self.found}) is newer than MLflow {version}, or "
                f"another program's: upgrade this server to the version that made it, restore a backup that is at "
                f"revision {self.needed}, or name another database."
            )


def runs(connection: Connection) -> Schema:
    """The schema of runs, models and everything else but accounts."""
    from mlflow.store.db.utils import _get_alembic_config

    return _schema(connection, "runs", _get_alembic_config(""), "alembic_version")


def accounts(connection: Connection) -> Schema:
    """The schema of users and permissions."""
    from mlflow.server.auth.db.utils import _get_alembic_config

    return _schema(connection, "accounts", _get_alembic_config(""), "alembic_version_auth")


def check_alphabet(connection: Connection) -> None:
    """Raise `ServerError` where tables that are made in a MySQL database could not hold every name.

    https://dev.mysql.com/doc/refman/8.4/en/charset-database.html
    """
    if connection.dialect.name != "mysql":
        return
    name, alphabet = connection.exec_driver_sql("SELECT DATABASE(), @@character_set_database").one()
    if alphabet != "utf8mb4":
        raise ServerError(
            f"The database {name!r} keeps text as {alphabet}, which has no place for every character: "
            f"run ALTER DATABASE `{name}` CHARACTER SET utf8mb4 before MLflow makes its tables in it."
        )


def _schema(connection: Connection, tables: str, config: Config, version_table: str) -> Schema:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config)
    needed = script.get_current_head() or ""
    heads = MigrationContext.configure(connection, opts={"version_table": version_table}).get_current_heads()
    found = ", ".join(heads) or None
    if found is None:
        return Schema(tables, found, needed, Age.NONE)
    known = {revision.revision for revision in script.walk_revisions()}
    age = Age.SAME if found == needed else Age.OLDER if found in known else Age.UNKNOWN
    return Schema(tables, found, needed, age)
