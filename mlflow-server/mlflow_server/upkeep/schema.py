"""The revision of MLflow's tables: which one a database has, and which ones this MLflow knows.

MLflow keeps two histories, of runs and models (`alembic_version`) and of accounts (`alembic_version_auth`).
https://mlflow.org/docs/latest/self-hosting/architecture/backend-store
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mlflow_server.errors import ServerError

RUNS, ACCOUNTS = "alembic_version", "alembic_version_auth"
_SCRIPTS = {RUNS: "store/db_migrations", ACCOUNTS: "server/auth/db/migrations"}


@dataclass(frozen=True)
class Schema:
    """Revisions of the tables; None where there are none."""

    runs: str | None
    accounts: str | None


def found(url: str) -> Schema:
    """What a database has; raises `ServerError` where it does not answer."""
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.exc import DatabaseError

    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            revisions = {
                name: connection.execute(text(f"SELECT version_num FROM {name}")).scalar()  # noqa: S608 - a constant
                for name in (RUNS, ACCOUNTS)
                if name in tables
            }
    except DatabaseError as error:
        raise ServerError(f"The database cannot be read: {error.orig}") from error
    finally:
        engine.dispose()
    return Schema(revisions.get(RUNS), revisions.get(ACCOUNTS))


def wanted() -> Schema:
    """What this MLflow works on."""
    return Schema(_history(RUNS)[0], _history(ACCOUNTS)[0])


def known(schema: Schema) -> bool:
    """Whether this MLflow has heard of a database's revisions: one that has not is older than they are."""
    return all(
        revision is None or revision in _history(table)
        for table, revision in ((RUNS, schema.runs), (ACCOUNTS, schema.accounts))
    )


@cache
def _history(table: str) -> tuple[str, ...]:
    """Every revision, the newest first."""
    from alembic.script import ScriptDirectory

    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:
        raise ServerError("MLflow is not installed beside this server: install mlflow-server with what it needs.")
    scripts = ScriptDirectory(str(Path(spec.origin).parent / _SCRIPTS[table]))
    return tuple(script.revision for script in scripts.walk_revisions())
