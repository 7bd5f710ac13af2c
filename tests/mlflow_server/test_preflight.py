"""What a server refuses before it serves: a URL, a database or a schema that it cannot use."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import requests
from mlflow_server.credentials import Credentials
from mlflow_server.database import schema
from mlflow_server.database.connection import connected
from mlflow_server.database.url import checked
from mlflow_server.errors import ServerError
from mlflow_server.stack.postgres import Postgres

from .in_process import invoked

Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., str]
OLD_REVISION = "728d730b5ebd"


@pytest.fixture(scope="module")
def postgres_url(postgres_home: Path) -> str:
    """The URL of the shared PostgreSQL's own database."""
    postgres = Postgres(postgres_home / "postgres", Credentials.kept_in(postgres_home)[0].database_password)
    running = postgres.service.running()
    assert running is not None
    return postgres.url(running.port)


@pytest.mark.parametrize(
    ("uri", "found", "advice"),
    [
        ("", "'' is none", "postgresql+psycopg://"),
        ("localhost/mlflow", "'localhost/mlflow' is none", "postgresql+psycopg://"),
        ("./mlruns", "'./mlruns' is none", "sqlite:////"),
        ("postgresql://me:s3#cr3t@db:x/mlflow", "what was given is none", "percent-encoded"),
        ("postgres://me:s3cr3t@db/mlflow", "a kind of database, 'postgres'", "postgresql+psycopg://"),
        ("mariadb://me:s3cr3t@db/mlflow", "a kind of database, 'mariadb'", "mysql+pymysql://"),
        ("oracle://me:s3cr3t@db/mlflow", "a kind of database, 'oracle'", "sqlite:////"),
        ("mysql://me:s3cr3t@db/mlflow", "needs the Python package 'MySQLdb'", "mysql+pymysql://"),
        ("postgresql+turbo://me:s3cr3t@db/mlflow", "a driver that SQLAlchemy does not know", "postgresql+psycopg://"),
        ("postgresql://me:s3cr3t@db", "names no database", "/DATABASE"),
        ("sqlite://", "names no database", "sqlite:////"),
    ],
)
def test_a_database_url_that_is_none_is_refused_without_its_password(uri: str, found: str, advice: str) -> None:
    with pytest.raises(ServerError) as refused:
        checked(uri)
    assert found in str(refused.value)
    assert advice in str(refused.value)
    assert "cr3t" not in str(refused.value)


def test_what_up_refuses_is_not_kept_for_the_next_time(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = invoked("up", "--home", home, "--backend-store-uri", "localhost/mlflow")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: --backend-store-uri (MLFLOW_BACKEND_STORE_URI) takes the URL of a database")
    assert not (home / "settings.json").exists()
    assert invoked("status", "--home", home).stdout == "down\n"
    both = invoked("up", "--home", home, "--postgres", "--backend-store-uri", "sqlite:////tmp/x.db")
    assert "give one of them" in both.stderr


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("postgresql://me:s3cr3t@127.0.0.1:1/mlflow", "127.0.0.1:1 does not answer"),
        ("mysql+pymysql://me:s3cr3t@127.0.0.1:1/mlflow", "127.0.0.1:1 does not answer"),
        ("postgresql://me:s3cr3t@nowhere.invalid/mlflow", "nowhere.invalid:5432 does not answer"),
        ("sqlite:////nowhere/mlflow.db", "unable to open database file"),
    ],
)
def test_a_database_that_does_not_answer_is_named_without_its_password(uri: str, found: str) -> None:
    with pytest.raises(ServerError) as refused, connected(checked(uri)):
        pass
    assert found in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_a_wrong_password_an_unknown_user_and_a_missing_database_are_told_apart(postgres_url: str) -> None:
    url = checked(postgres_url)
    for other, found in (
        (url.set(password="wrong"), f"127.0.0.1:{url.port} refused the login of 'mlflow'"),
        (url.set(username="somebody"), f"127.0.0.1:{url.port} refused the login of 'somebody'"),
        (url.set(database="missing"), "no database 'missing' at 127.0.0.1"),
    ):
        with pytest.raises(ServerError, match=found), connected(other):
            pass


def test_the_server_itself_refuses_a_wrong_password_in_a_sentence(serve: Serve, postgres_url: str) -> None:
    url = checked(postgres_url).set(password="wrong").render_as_string(hide_password=False)
    said = serve(MLFLOW_BACKEND_STORE_URI=url)
    assert said.startswith("Error: The database at 127.0.0.1:")
    assert "correct the user or the password" in said


@pytest.fixture
def new_database(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """Make databases of the test's own in the shared PostgreSQL; returns the URL of each."""
    names: list[str] = []
    url = checked(postgres_url)
    with psycopg.connect(
        host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database, autocommit=True
    ) as connection:

        def make(name: str) -> str:
            connection.execute(f'CREATE DATABASE "{name}"')
            names.append(name)
            return url.set(database=name).render_as_string(hide_password=False)

        yield make
        for name in names:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.parametrize(
    ("revision", "age", "advice"),
    [
        (OLD_REVISION, schema.Age.OLDER, "run `mlflow-server upgrade`, which takes a backup first"),
        ("ffffffffffff", schema.Age.UNKNOWN, "upgrade this server to the version that made it"),
    ],
)
def test_a_schema_of_another_mlflow_is_refused(
    new_database: Callable[[str], str], revision: str, age: schema.Age, advice: str
) -> None:
    with connected(checked(new_database(f"schema-{revision}"))) as connection:
        assert schema.runs(connection).age is schema.Age.NONE
        for table, looked_at in (("alembic_version", schema.runs), ("alembic_version_auth", schema.accounts)):
            connection.exec_driver_sql(f"CREATE TABLE {table} (version_num VARCHAR(32))")
            known = "8606fa83a998" if table.endswith("auth") and age is schema.Age.OLDER else revision
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ('{known}')")  # noqa: S608 - the test's own
            found = looked_at(connection)
            assert (found.age, found.found) == (age, known)
            with pytest.raises(ServerError) as refused:
                found.check("3.17.2")
            assert advice in str(refused.value)


def test_two_servers_that_start_at_once_make_the_tables_of_a_new_database_once(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    accounts = {"MLFLOW_AUTH_ADMIN_PASSWORD": "of-the-tests-1", "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests"}
    stores = {"MLFLOW_BACKEND_STORE_URI": new_database("shared"), "MLFLOW_ARTIFACTS_DESTINATION": tmp_path.as_uri()}
    command = [sys.executable, "-u", "-m", "mlflow_server", "serve", "--port", "0"]
    started = []
    try:
        for number in range(2):
            with (tmp_path / f"log-{number}").open("w") as log:
                started.append(
                    subprocess.Popen(
                        command, env={**os.environ, **accounts, **stores}, stdout=subprocess.PIPE, stderr=log, text=True
                    )
                )
        for number, process in enumerate(started):
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("up: "), (tmp_path / f"log-{number}").read_text()
            for door in ("api/2.0/mlflow/experiments/get?experiment_id=0", "metrics"):
                answer = requests.get(f"{line.split()[1]}/{door}", auth=("admin", "of-the-tests-1"), timeout=30)
                assert answer.status_code == 200
            # A container's counters go with it: nobody named a folder for them.
            assert "mlflow_http_request_total" in answer.text
    finally:
        for process in started:
            process.terminate()
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


def test_a_server_leaves_a_schema_that_it_refuses_as_it_was(run: Run, tmp_path: Path) -> None:
    database = tmp_path / "home" / "mlflow.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    before = database.read_bytes()
    done = run("up", tmp_path / "home")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The database's schema for runs (revision ffffffffffff) is newer than MLflow")
    assert database.read_bytes() == before
