"""`mlflow-server upgrade`: who is asked first, what it refuses, and tables and data of older versions brought over."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from mlflow.store.db.utils import _get_alembic_config, _get_latest_schema_revision
from mlflow.store.tracking.dbmodels.initial_models import Base
from mlflow_server import client_versions, preflight
from mlflow_server.client_versions import ClientVersion
from mlflow_server.credentials import Credentials
from mlflow_server.errors import ServerError
from mlflow_server.serving import Serving
from mlflow_server.settings import Settings
from mlflow_server.stack import postgres as stack
from mlflow_server.stack.postgres import Postgres
from mlflow_server.stack.programs import program
from sqlalchemy import create_engine

from .conftest import Cli, refused

OLDER = "0584bdc529eb"  # what MLflow 2.22 made


@pytest.fixture(scope="module")
def older_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the tables of an older MLflow and one experiment."""
    from alembic import command

    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    config = _get_alembic_config(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLDER)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'of old', 'active')"
        )
    return path


@pytest.fixture
def older_home(older_database: Path, tmp_path: Path) -> Path:
    home = tmp_path / "older"
    home.mkdir()
    (home / "mlflow.db").write_bytes(older_database.read_bytes())
    return home


def test_tables_of_an_unknown_revision_are_refused_by_up_and_upgrade_alike(cli: Cli, older_home: Path) -> None:
    with closing(sqlite3.connect(older_home / "mlflow.db")) as connection, connection:
        connection.execute("DELETE FROM alembic_version")
    before = (older_home / "mlflow.db").read_bytes()
    said = "has tables for runs, but nothing in it says of which revision"
    serving = Serving(f"sqlite:///{older_home}/mlflow.db", older_home.as_uri())
    with pytest.raises(ServerError, match=said), preflight.passed(serving):
        pass
    refused(cli("upgrade", "--home", older_home), said)
    assert (older_home / "mlflow.db").read_bytes() == before


def test_a_step_that_fails_is_told_without_its_statement(cli: Cli, older_home: Path) -> None:
    with closing(sqlite3.connect(older_home / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    done = cli("upgrade", "--home", older_home, "--no-backup")
    refused(done, "could not be brought up to date (")
    for leaked in ("SQL:", "Background", "ALTER TABLE", "CREATE TABLE"):
        assert leaked not in done.stderr


def _one(database: Path, query: str) -> object:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchone()[0]


def _revision(database: Path) -> object:
    return _one(database, "SELECT version_num FROM alembic_version")


def test_a_server_that_is_up_is_stopped_first(cli: Cli, served_home: Path) -> None:
    refused(cli("upgrade", "--home", served_home), "is up (http://127.0.0.1:")


def test_a_folder_without_a_server_isrefused(cli: Cli, tmp_path: Path) -> None:
    refused(cli("upgrade", "--home", tmp_path), "holds no server")


def test_tables_newer_than_this_mlflow_are_left_alone(cli: Cli, older_home: Path) -> None:
    with closing(sqlite3.connect(older_home / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    refused(cli("upgrade", "--home", older_home), "is newer than MLflow")
    assert _revision(older_home / "mlflow.db") == "fedcba987654"


def test_a_database_that_somebody_writes_to_isrefused(cli: Cli, older_home: Path) -> None:
    with closing(sqlite3.connect(older_home / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        refused(cli("upgrade", "--home", older_home), "is in use (database is locked)")
    assert not (older_home / "backups").exists()


def test_clients_of_another_major_version_are_not_broken_unasked(cli: Cli, older_home: Path) -> None:
    url, today = f"sqlite:///{older_home}/mlflow.db", datetime.now(UTC).date()
    client_versions.write(url, ClientVersion("1.30.0", today - timedelta(days=40)))
    client_versions.write(url, ClientVersion("3.17.2", today))
    client_versions.write(url, ClientVersion("2.22.0", today - timedelta(days=29)))
    client_versions.write(url, ClientVersion("2.22.0", today - timedelta(days=31)))
    done = cli("upgrade", "--home", older_home)
    refused(done, f"2.22.0 (last on {today - timedelta(days=29)})")
    assert "1.30.0" not in done.stderr
    assert "3.17.2 (last" not in done.stderr
    assert _revision(older_home / "mlflow.db") == OLDER

    done = cli("upgrade", "--home", older_home, "--clients-may-break", "--no-backup")
    assert done.returncode == 0, done.stderr
    assert _revision(older_home / "mlflow.db") == _get_latest_schema_revision()


def test_tables_of_a_server_and_its_projects_are_brought_over_after_a_backup(
    cli: Cli, older_home: Path, older_database: Path, tmp_path: Path
) -> None:
    alpha = older_home / "projects" / "alpha"
    alpha.mkdir(parents=True)
    (alpha / "mlflow.db").write_bytes(older_database.read_bytes())
    Settings(shared_from=str(older_home)).keep_in(alpha)
    done = cli("upgrade", "--home", older_home)
    assert done.returncode == 0, done.stderr
    newest = _get_latest_schema_revision()
    assert f"tables of runs: {OLDER} -> {newest}" in done.stdout
    assert f"tables of runs of the project alpha: {OLDER} -> {newest}" in done.stdout
    for database in (older_home / "mlflow.db", alpha / "mlflow.db"):
        assert _revision(database) == newest
        assert _one(database, "SELECT name FROM experiments WHERE experiment_id = 7") == "of old"
    (backup,) = (older_home / "backups").iterdir()
    assert str(backup) in done.stdout
    assert cli("upgrade", "--home", older_home).stdout.startswith("up to date")

    assert cli("restore", "--home", tmp_path / "undone", backup).returncode == 0
    assert _revision(tmp_path / "undone" / "mlflow.db") == OLDER


@pytest.fixture
def own_database(postgres_home: Path) -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL that no home is served from."""
    credentials, _ = Credentials.kept_in(postgres_home)
    postgres = Postgres(postgres_home / "postgres", credentials.database_password)
    running = postgres.service.running()
    assert running is not None
    with psycopg.connect(postgres.url(running.port).replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE upgraded")
        yield postgres.url(running.port, "upgraded")
        connection.execute("DROP DATABASE upgraded WITH (FORCE)")


def test_sessions_of_another_host_or_server_keep_a_database_from_being_upgraded(cli: Cli, own_database: str) -> None:
    refused(cli("upgrade", "--backend-store-uri", own_database), "with --no-backup only: take a snapshot")
    with psycopg.connect(own_database.replace("+psycopg", "")):
        done = cli("upgrade", "--no-backup", MLFLOW_BACKEND_STORE_URI=own_database)
        refused(done, "The database is in use (sessions: 1 from 127.0.0.1)")
    done = cli("upgrade", "--no-backup", MLFLOW_BACKEND_STORE_URI=own_database)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("up to date")


def test_sessions_on_mariadb_do_so_too(cli: Cli, mariadb: object, tmp_path: Path) -> None:
    url = mariadb.make(f"used_{tmp_path.name[-6:]}".replace("-", "_"))  # type: ignore[attr-defined]
    engine = create_engine(url)
    with engine.connect():
        done = cli("upgrade", "--no-backup", "--backend-store-uri", url)
        refused(done, "The database is in use (sessions: 1 from ")
    engine.dispose()


@pytest.fixture
def older_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose database is data of PostgreSQL 16."""
    home = tmp_path / "home"
    home.mkdir()
    Settings(postgres=True).keep_in(home)
    credentials, _ = Credentials.kept_in(home)
    with monkeypatch.context() as patch:
        patch.setattr(stack, "MAJOR", 16)
        patch.setattr(stack, "program", lambda name, _=16: program(name, 16))
        postgres = Postgres(home / "postgres", credentials.database_password)
        running = postgres.start()
        with psycopg.connect(postgres.url(running.port).replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE ROLE project_alpha LOGIN")
            connection.execute("CREATE DATABASE project_alpha OWNER project_alpha")
            connection.execute("REVOKE CONNECT ON DATABASE project_alpha FROM PUBLIC")
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('here')")
        postgres.stop()
    return home


def test_data_of_an_older_postgresql_is_moved_with_its_roles_and_rights(cli: Cli, older_postgresql: Path) -> None:
    home = older_postgresql
    refused(cli("up", "--home", home), "was made by PostgreSQL 16, and this server has PostgreSQL 18")
    refused(cli("upgrade", "--home", home, "--no-backup"), "is moved by way of a backup")
    done = cli("upgrade", "--home", home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PostgreSQL: 16 -> 18\n")
    credentials, _ = Credentials.kept_in(home)
    postgres = Postgres(home / "postgres", credentials.database_password)
    assert postgres.major == 18
    assert postgres.service.running() is None
    running = postgres.start()
    try:
        with psycopg.connect(postgres.url(running.port).replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]
            owner = "SELECT pg_get_userbyid(datdba), datacl::text[] FROM pg_database WHERE datname = 'project_alpha'"
            ((role, rights),) = connection.execute(owner).fetchall()
            assert role == "project_alpha"
            assert sorted(rights) == ["=T/project_alpha", "project_alpha=CTc/project_alpha"]
    finally:
        postgres.stop()
    assert [path.suffix for path in (home / "backups").iterdir()] == [".zip"]
    assert json.loads((home / "settings.json").read_text())["postgres"] is True


def test_older_data_stays_where_its_move_fails(cli: Cli, older_postgresql: Path) -> None:
    (older_postgresql / "backups" / "postgres-16").mkdir(parents=True)
    refused(cli("upgrade", "--home", older_postgresql), "is there from another attempt")
    assert (older_postgresql / "postgres" / "data" / "PG_VERSION").read_text() == "16\n"
