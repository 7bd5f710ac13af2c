"""Logging in to a database by a secret, against a PostgreSQL behind TLS: rotated, wrong, missing, not trusted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from mlflow_server import database_login
from mlflow_server.database_login import DatabaseLogin
from mlflow_server.errors import ServerError
from mlflow_server.stack.postgres import Postgres
from sqlalchemy import create_engine, event, text

from .conftest import Encryption, certificate


@dataclass(frozen=True)
class Database:
    """A database that takes connections by TLS only, and the authority of its certificate."""

    port: int
    authority: Path
    behind: int

    def connected(self, password: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="mlflow",
            password=password,
            dbname="mlflow",
            autocommit=True,
            sslmode="require",
        )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A PostgreSQL, its password and its certificate made for these tests."""
    folder = tmp_path_factory.mktemp("database")
    postgres = Postgres(folder / "postgres", "first-password")
    behind = postgres.start().port
    encryption = Encryption(behind, certificate(folder, "server"))
    yield Database(encryption.port, folder / "server.crt", behind)
    encryption.close()
    postgres.stop()


@pytest.fixture
def secret(cloud: Any) -> str:
    """A secret as RDS makes one."""
    body = json.dumps({"username": "mlflow", "password": "first-password"})
    name = f"database-{uuid.uuid4().hex[:8]}"
    return str(cloud.client("secretsmanager").create_secret(Name=name, SecretString=body)["ARN"])


@pytest.fixture
def login(cloud: Any, database: Any, secret: str) -> DatabaseLogin:
    return DatabaseLogin(secret, database.authority, cloud.client("secretsmanager"))


@pytest.fixture
def engine(database: Any, login: DatabaseLogin) -> Iterator[Callable[[], sqlalchemy.Engine]]:
    """Makes engines on the database whose URL has no password, with a login of the test's own."""
    made: list[sqlalchemy.Engine] = []

    def make() -> sqlalchemy.Engine:
        made.append(create_engine(f"postgresql+psycopg://mlflow@127.0.0.1:{database.port}/mlflow"))
        event.listen(made[-1], "do_connect", login.connect)
        return made[-1]

    yield make
    for each in made:
        each.dispose()


def encrypted(engine: sqlalchemy.Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.connection.dbapi_connection.pgconn.ssl_in_use)  # type: ignore[union-attr]


def test_a_url_without_password_logs_in_by_the_secret_over_tls(engine: Any) -> None:
    assert encrypted(engine())


def test_a_password_that_was_changed_is_asked_for_again_and_connections_that_stand_go_on(
    database: Any, cloud: Any, secret: str, engine: Any
) -> None:
    first = engine()
    with first.connect() as standing:
        with database.connected("first-password") as admin:
            admin.execute("ALTER ROLE mlflow PASSWORD 'second-password'")
        try:
            cloud.client("secretsmanager").put_secret_value(
                SecretId=secret, SecretString=json.dumps({"username": "mlflow", "password": "second-password"})
            )
            assert standing.scalar(text("SELECT 1")) == 1
            with first.connect() as new:
                assert new.scalar(text("SELECT 2")) == 2
        finally:
            with database.connected("second-password") as admin:
                admin.execute("ALTER ROLE mlflow PASSWORD 'first-password'")


def test_a_wrong_password_is_refused_once_and_not_shown(cloud: Any, secret: str, engine: Any) -> None:
    body = json.dumps({"username": "mlflow", "password": "yesterdays-password"})
    cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=body)
    with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed") as refused:
        engine().connect()
    assert "yesterdays-password" not in str(refused.value)


def test_a_server_whose_certificate_is_of_another_authority_is_not_logged_in_to(
    login: DatabaseLogin, engine: Any, tmp_path: Path
) -> None:
    login.authorities = certificate(tmp_path, "another")
    with pytest.raises(sqlalchemy.exc.OperationalError, match="certificate verify failed"):
        engine().connect()


@pytest.mark.parametrize(
    ("body", "said"), [("not JSON", "is no JSON with a password"), ('{"user": "mlflow"}', "is no JSON with a password")]
)
def test_a_secret_of_another_shape_is_named(cloud: Any, secret: str, engine: Any, body: str, said: str) -> None:
    cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=body)
    with pytest.raises(ServerError, match=said):
        engine().connect()


def test_a_secret_that_cannot_be_read_is_named(login: DatabaseLogin, engine: Any) -> None:
    login.secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nowhere"
    with pytest.raises(ServerError, match=r"cannot be read from the secret arn:.*nowhere"):
        engine().connect()


def test_a_password_is_sent_to_nobody_whose_certificate_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(database_login.SECRET, "arn:aws:secretsmanager:us-east-1:123456789012:secret:database")
    monkeypatch.delenv(database_login.CERTIFICATES, raising=False)
    with pytest.raises(ServerError, match="MLFLOW_DATABASE_CERTIFICATES is not, so that the database's password would"):
        database_login.install.__wrapped__()


@pytest.mark.parametrize("query", ["", "?sslmode=disable", "?sslmode=require"])
def test_no_url_talks_the_login_out_of_verifying(
    login: DatabaseLogin, database: Any, tmp_path: Path, query: str
) -> None:
    login.authorities = certificate(tmp_path, "another")
    engine = create_engine(f"postgresql+psycopg://mlflow@127.0.0.1:{database.port}/mlflow{query}")
    event.listen(engine, "do_connect", login.connect)
    with pytest.raises(sqlalchemy.exc.OperationalError, match="certificate verify failed"):
        engine.connect()


def test_a_database_at_the_end_of_a_tunnel_is_verified_by_its_own_name(
    login: DatabaseLogin, database: Any, tmp_path: Path
) -> None:
    encryption = Encryption(database.behind, certificate(tmp_path, "named", "DNS:db.example.com"))
    login.authorities = tmp_path / "named.crt"
    url = f"postgresql+psycopg://mlflow@db.example.com:{encryption.port}/mlflow?hostaddr=127.0.0.1"
    try:
        engine = create_engine(url)
        event.listen(engine, "do_connect", login.connect)
        assert encrypted(engine)
        engine.dispose()
    finally:
        encryption.close()


def test_authorities_that_are_no_file_are_named_before_anything_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(database_login.SECRET, "arn:aws:secretsmanager:us-east-1:123456789012:secret:database")
    monkeypatch.setenv(database_login.CERTIFICATES, "/nowhere/authorities.pem")
    with pytest.raises(ServerError, match=r"names /nowhere/authorities\.pem, which is no file"):
        database_login.install.__wrapped__()


def others(admin: psycopg.Connection) -> list[str]:
    """The last statements of all other connections."""
    rows = admin.execute(
        "SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return [row[0] for row in rows]


def test_serve_runs_by_the_secret_and_lets_a_database_pause_that_nobody_asks_anything(
    cloud: Any, database: Any, secret: str, tmp_path: Path
) -> None:
    environment = {
        **cloud.environment,
        "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://mlflow@127.0.0.1:{database.port}/mlflow",
        "MLFLOW_ARTIFACTS_DESTINATION": (tmp_path / "artifacts").as_uri(),
        "MLFLOW_DATABASE_SECRET_ARN": secret,
        "MLFLOW_DATABASE_CERTIFICATES": str(database.authority),
        "MLFLOW_SERVER_AUTH": "false",
        "MLFLOW_PORT": "0",
        "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    }
    (tmp_path / "artifacts").mkdir()
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow_server", "serve"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("up: http://"), line + (tmp_path / "log").read_text()
        until = time.monotonic() + 20
        with database.connected("first-password") as admin:
            while (held := others(admin)) and time.monotonic() < until:
                time.sleep(0.05)
        assert held == []
    finally:
        process.terminate()
        process.wait(30)
        log.close()
        if process.stdout:
            process.stdout.close()
