"""The schema in a database against the one this MLflow works with: the same, none yet, older, not known or lost.

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


_VERSION_TABLES = {"runs": "alembic_version", "accounts": "alembic_version_auth"}
# Tables that only a revision makes: a first start that was broken off before any goes on by itself.
_REVISED = {"runs": "registered_models", "accounts": "experiment_permissions"}


class Age(Enum):
    """How a schema stands to the one that is needed."""

    NONE = "none yet"
    SAME = "the same"
    OLDER = "older"
    UNKNOWN = "not known"
    LOST = "tables without a revision"


@dataclass(frozen=True)
class Schema:
    """One of MLflow's sets of tables: the revision `found` in a database (None: nothing says one), and the `needed`."""

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
        if self.age is Age.LOST:
            raise ServerError(
                f"The database has tables for {self.tables}, but nothing in it says of which revision: restore a "
                f"backup, or write the revision that they had into {_VERSION_TABLES[self.tables]} again (MLflow "
                f"{version} makes {self.needed})."
            )


def runs(connection: Connection) -> Schema:
    """The schema of runs, models and everything else but accounts."""
    from mlflow.store.db.utils import _get_alembic_config

    return _schema(connection, "runs", _get_alembic_config(""))


def accounts(connection: Connection) -> Schema:
    """The schema of users and permissions."""
    from mlflow.server.auth.db.utils import _get_alembic_config

    return _schema(connection, "accounts", _get_alembic_config(""))


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


def _schema(connection: Connection, tables: str, config: Config) -> Schema:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import inspect

    script = ScriptDirectory.from_config(config)
    needed = script.get_current_head() or ""
    heads = MigrationContext.configure(connection, opts={"version_table": _VERSION_TABLES[tables]}).get_current_heads()
    found = ", ".join(heads) or None
    if found is None:
        lost = inspect(connection).has_table(_REVISED[tables])
        return Schema(tables, found, needed, Age.LOST if lost else Age.NONE)
    known = {revision.revision for revision in script.walk_revisions()}
    age = Age.SAME if found == needed else Age.OLDER if found in known else Age.UNKNOWN
    return Schema(tables, found, needed, age)
