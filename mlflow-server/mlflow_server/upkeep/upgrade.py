"""An upgrade: the tables brought to what this MLflow works on, and PostgreSQL's data to its new major version.

It is planned first (what is found, what it becomes, who would be broken), and carried out after a backup.
https://mlflow.org/docs/latest/self-hosting/migration/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from mlflow_server import client_versions
from mlflow_server.credentials import Credentials
from mlflow_server.database import schema, told
from mlflow_server.database.connection import alone, connected
from mlflow_server.database.schema import Age, Schema
from mlflow_server.database.url import checked
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.isolated import database_name
from mlflow_server.settings import Settings
from mlflow_server.upkeep import major_version
from mlflow_server.upkeep.backup import back_up, refuse_nothing
from mlflow_server.upkeep.databases import SQLITE, Database, database_of, named
from mlflow_server.upkeep.sessions import refuse_others

REMEMBERED_DAYS = 30

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What an upgrade does to a database of a server, or of its project of that name."""

    database: Database
    schemas: tuple[Schema, ...]
    project: str | None = None

    @property
    def older(self) -> tuple[Schema, ...]:
        """The tables that change; accounts where there are none are not made."""
        return tuple(it for it in self.schemas if it.age is Age.OLDER)

    def described(self) -> list[str]:
        """From what to what, a line each."""
        of = f" of the project {self.project}" if self.project else ""
        return [f"tables of {it.tables}{of}: {it.found} -> {it.needed}" for it in self.older]


def upgrade_home(home: Home, backup: Path | None, now: datetime, clients_may_break: bool, say: Say) -> None:
    """Upgrade the databases of a home and its projects; `backup` is the file of the backup before it, None for none.

    Raises `ServerError` where a server of it is up, for all that `planned` refuses, and where a step fails.
    """
    settings = Settings.kept_in(home.folder)
    refuse_nothing(home, settings)
    for server in (home, *map(home.project, home.projects())):
        if running := server.running():
            raise ServerError(f"The server of {server.folder} is up ({running.tracking_uri}): stop it first.")
    moves_from = major_version.older(home) if settings.postgres else None
    if moves_from and backup is None:
        raise ServerError(f"Data of PostgreSQL {moves_from} is moved by way of a backup: leave --no-backup away.")
    with home.changing(), home.lock():
        with database_of(home, settings) as database:
            plans = [planned(each, now.date(), clients_may_break, name) for each, name in _all(home, database)]
            lines = [line for plan in plans for line in plan.described()]
            if moves_from:
                lines.insert(0, f"PostgreSQL: {moves_from} -> {major_version.MAJOR}")
            if not lines:
                say(f"up to date: nothing to do for MLflow {version('mlflow')}")
                return
            say("\n".join(lines))
            if backup:
                back_up(home, backup, now)
                say(f"backup: {backup}")
        if moves_from and backup:
            major_version.move(home, backup)
        with database_of(home, settings) as database:
            for (each, _), plan in zip(_all(home, database), plans, strict=True):
                _carry_out(replace(plan, database=each), backup)
    say(f"upgraded to MLflow {version('mlflow')}")


def upgrade(database: Database, now: datetime, clients_may_break: bool, say: Say) -> None:
    """Upgrade a database of one's own, of which there is a snapshot; raises `ServerError` as `upgrade_home` does."""
    plan = planned(database, now.date(), clients_may_break)
    if not plan.older:
        say(f"up to date: nothing to do for MLflow {version('mlflow')}")
        return
    say("\n".join(plan.described()))
    _carry_out(plan, None)
    say(f"upgraded to MLflow {version('mlflow')}")


def planned(database: Database, today: date, clients_may_break: bool, project: str | None = None) -> Plan:
    """What this MLflow would make of a database.

    Raises `ServerError` where its tables are newer than this MLflow or of no known revision, somebody else works on it,
    or clients of another major version called lately (unless they may break).
    """
    release = version("mlflow")
    with connected(checked(database.url)) as connection:
        plan = Plan(database, (schema.runs(connection), schema.accounts(connection)), project)
        for tables in plan.schemas:
            if tables.age in (Age.UNKNOWN, Age.LOST):
                tables.check(release)
        refuse_others(database, connection)
    major = int(release.partition(".")[0])
    broken = client_versions.of_other_majors(database.url, major, today, REMEMBERED_DAYS)
    if broken and plan.older and not clients_may_break:
        seen = ", ".join(f"{client.version} (last on {client.seen_on})" for client in broken)
        raise ServerError(
            f"Clients of another major version than MLflow {release} called in the last {REMEMBERED_DAYS} days: "
            f"{seen}. Upgrade them first, or say --clients-may-break."
        )
    return plan


def _all(home: Home, database: Database) -> Iterator[tuple[Database, str | None]]:
    """The database of a home and those of its projects, each opened as the role that its tables belong to."""
    yield database, None
    for name in home.projects():
        project = home.project(name)
        if database.store == SQLITE:
            if Path(project.folder, "mlflow.db").exists():
                yield named(project.database_uri), name
            continue
        role = database_name(project)
        url = checked(database.url).set(
            username=role, database=role, password=Credentials.kept_in(project.folder)[0].database_password
        )
        yield replace(database, url=url.render_as_string(hide_password=False)), name


def _carry_out(plan: Plan, backup: Path | None) -> None:
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.utils import _upgrade_db
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    if not plan.older:
        return
    engine = create_engine(plan.database.url)
    try:
        with connected(checked(plan.database.url)) as connection, alone(connection):
            _upgrade_db(engine)
            if plan.schemas[1].age is not Age.NONE:
                from mlflow.server.auth.db.utils import migrate

                migrate(engine, "head")
    except (MlflowException, SQLAlchemyError, CommandError) as error:
        undo = f"restore {backup} into another folder" if backup else "go back to the snapshot"
        raise ServerError(
            f"The tables could not be brought up to date ({told.reason(str(error))}). "
            f"Before the database is used again, {undo}."
        ) from error
    finally:
        engine.dispose()
