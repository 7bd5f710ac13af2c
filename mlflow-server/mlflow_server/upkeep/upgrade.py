"""An upgrade: the tables brought to what this MLflow works on, and a database server's data to its new major version.

It is planned first (what is found, what it becomes, who would be broken), and carried out after a backup.
https://mlflow.org/docs/latest/self-hosting/architecture/backend-store
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from mlflow_server import client_versions
from mlflow_server.credentials import Credentials
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.settings import Settings
from mlflow_server.stack.postgres import Postgres
from mlflow_server.stack.programs import MAJOR
from mlflow_server.upkeep import schema
from mlflow_server.upkeep.archive import opened
from mlflow_server.upkeep.backup import back_up, holds_something
from mlflow_server.upkeep.databases import STACK, Database, database_of
from mlflow_server.upkeep.schema import Schema
from mlflow_server.upkeep.sessions import refuse_others

REMEMBERED_DAYS = 30

Say = Callable[[str], None]


def upgrade_home(home: Home, backup: Path | None, now: datetime, clients_may_break: bool, say: Say) -> None:
    """Upgrade the database of a home; `backup` is the file of the backup before it, None for none.

    Raises `ServerError` where its server is up, for all that `planned` refuses, and where a step fails.
    """
    if not holds_something(home):
        raise ServerError(f"{home.folder} holds no server: name the folder of one with --home.")
    if running := home.running():
        raise ServerError(f"The server of {home.folder} is up ({running.tracking_uri}): `mlflow-server down` first.")
    settings = Settings.kept_in(home.folder)
    moves_from = older_major(home) if settings.postgres else None
    with home.changing(), home.lock():
        with database_of(home, settings) as database:
            plan = planned(database, now.date(), clients_may_break, moves_from)
            say(plan.described())
            if plan.does_nothing:
                return
            if backup:
                back_up(home, backup, now)
                say(f"backup: {backup}")
        if moves_from:
            if backup is None:
                raise ServerError("Data of another PostgreSQL is moved by way of a backup: leave --no-backup away.")
            move_to_this_major(home, backup)
        with database_of(home, settings) as database:
            _finish(replace(plan, database=database), backup, say)


def upgrade(database: Database, now: datetime, clients_may_break: bool, say: Say) -> None:
    """Upgrade a database of one's own, of which there is a snapshot."""
    plan = planned(database, now.date(), clients_may_break)
    say(plan.described())
    if not plan.does_nothing:
        _finish(plan, None, say)


def _finish(plan: Plan, backup: Path | None, say: Say) -> None:
    if plan.migrates:
        try:
            migrate(plan)
        except ServerError as error:
            undo = f"restore {backup} into another folder" if backup else "go back to the snapshot"
            raise ServerError(f"{error} Before you use the database again, {undo}.") from error
    say("upgraded")


@dataclass(frozen=True)
class Plan:
    """What an upgrade would do to a database; `moves_from` is the older major version of its PostgreSQL, if any."""

    database: Database
    found: Schema
    wanted: Schema
    moves_from: int | None = None

    @property
    def migrates(self) -> bool:
        """Whether tables change; accounts where there are none are not made."""
        accounts = self.found.accounts in (None, self.wanted.accounts)
        return self.found.runs is not None and not (self.found.runs == self.wanted.runs and accounts)

    @property
    def does_nothing(self) -> bool:
        return not self.migrates and self.moves_from is None

    def described(self) -> str:
        """From what to what, a line each."""
        lines = [f"PostgreSQL: {self.moves_from} -> {MAJOR}"] if self.moves_from else []
        if self.migrates:
            lines.append(f"tables of runs and models: {_change(self.found.runs, self.wanted.runs)}")
        if self.migrates and self.found.accounts:
            lines.append(f"tables of accounts: {_change(self.found.accounts, self.wanted.accounts)}")
        return "\n".join(lines or [f"up to date: nothing to do for MLflow {version('mlflow')}"])


def planned(database: Database, today: date, clients_may_break: bool, moves_from: int | None = None) -> Plan:
    """What this MLflow would make of a database.

    Raises `ServerError` where its tables are newer than this MLflow, somebody else works on it, or clients of another
    major version called lately (unless they may break).
    """
    found, wanted = schema.found(database.url), schema.wanted()
    if not schema.known(found):
        raise ServerError(
            f"The database's tables (revision {found.runs}) are newer than MLflow {version('mlflow')}, which is "
            "installed here: upgrade the server itself; tables are never taken back."
        )
    refuse_others(database)
    major = int(version("mlflow").partition(".")[0])
    broken = client_versions.of_other_majors(database.url, major, today, REMEMBERED_DAYS)
    plan = Plan(database, found, wanted, moves_from)
    if broken and not plan.does_nothing and not clients_may_break:
        seen = ", ".join(f"{client.version} (last on {client.seen_on})" for client in broken)
        raise ServerError(
            f"Clients of another major version than MLflow {version('mlflow')} called in the last {REMEMBERED_DAYS} "
            f"days: {seen}. Upgrade them first, or say --clients-may-break."
        )
    return plan


def migrate(plan: Plan) -> None:
    """Bring the tables up to date; raises `ServerError` with MLflow's reason where it fails."""
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from mlflow.server.auth.db.utils import migrate as migrate_accounts
    from mlflow.store.db.utils import _upgrade_db
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    engine = create_engine(plan.database.url)
    try:
        _upgrade_db(engine)
        if plan.found.accounts is not None:
            migrate_accounts(engine, "head")
    except (MlflowException, SQLAlchemyError, CommandError) as error:
        raise ServerError(f"The tables could not be brought up to date: {error}") from error
    finally:
        engine.dispose()


def move_to_this_major(home: Home, backup: Path) -> None:
    """Load the databases of a backup into data of this PostgreSQL; the older data comes back where that fails."""
    credentials, _ = Credentials.kept_in(home.folder)
    postgres = Postgres(home.folder / "postgres", credentials.database_password)
    postgres.stop()
    older = home.folder / f"postgres-{postgres.major}"
    if older.exists():
        raise ServerError(f"{older} is there from another attempt: put it aside, since the older data would go there.")
    postgres.folder.rename(older)
    try:
        with opened(backup) as archive:
            archive.check()
            Database(STACK, postgres.url(postgres.start().port)).load(archive)
    except BaseException:
        postgres.stop()
        shutil.rmtree(postgres.folder, ignore_errors=True)
        older.rename(postgres.folder)
        raise
    shutil.rmtree(older)


def older_major(home: Home) -> int | None:
    """The major version of PostgreSQL that made a home's data, where it is another than the one that would serve it."""
    major = Postgres(home.folder / "postgres", "").major
    return None if major == MAJOR else major


def _change(found: str | None, wanted: str | None) -> str:
    return f"{found} (up to date)" if found == wanted else f"{found} -> {wanted}"
