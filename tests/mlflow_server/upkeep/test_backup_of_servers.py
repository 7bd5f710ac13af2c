"""Backups of servers and of databases beside them: what was acknowledged is in them, and all of it comes back."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import requests
from mlflow_server.settings import Settings
from mlflow_server.stack.postgres import Postgres
from sqlalchemy import make_url

from .conftest import Cli, refused


def test_what_was_acknowledged_before_a_backup_of_a_busy_server_is_in_it(
    cli: Cli, cli_process: Cli, served_home: Path, tracking_uri: str, tmp_path: Path
) -> None:
    def call(path: str, **body: object) -> dict:
        answer = requests.post(f"{tracking_uri}/api/2.0/mlflow/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    experiment = call("experiments/create", name=f"busy {tmp_path.name}")["experiment_id"]
    run = call("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    acknowledged: list[int] = []
    enough, ending = threading.Event(), threading.Event()

    def log() -> None:
        while not ending.is_set():
            step = len(acknowledged)
            call("runs/log-metric", run_id=run, key="step", value=step, timestamp=1, step=step)
            acknowledged.append(step)
            if len(acknowledged) == 20:
                enough.set()

    writer = threading.Thread(target=log)
    writer.start()
    try:
        assert enough.wait(60)
        before = len(acknowledged)
        assert cli_process("backup", "--home", served_home, tmp_path / "b.zip").returncode == 0
        assert len(acknowledged) > before
    finally:
        ending.set()
        writer.join(60)
    assert cli("restore", "--home", tmp_path / "restored", tmp_path / "b.zip").returncode == 0
    with closing(sqlite3.connect(tmp_path / "restored" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        steps = {step for (step,) in connection.execute("SELECT step FROM metrics WHERE run_uuid = ?", (run,))}
    assert set(range(before)) <= steps


def test_a_server_on_postgresql_comes_back_with_its_accounts_and_artifacts(
    cli: Cli, cli_process: Cli, postgres_home: Path, tmp_path: Path
) -> None:
    client = _Client(postgres_home)
    experiment = client.post("experiments/create", name=f"kept {tmp_path.name}")["experiment_id"]
    info = client.post("runs/create", experiment_id=experiment)["run"]["info"]
    client.post("runs/log-metric", run_id=info["run_id"], key="accuracy", value=0.5, timestamp=1)
    client.put(info, "model.bin", b"weights")
    done = cli("backup", "--home", postgres_home, tmp_path / "b.zip")
    assert done.returncode == 0, done.stderr
    restored = tmp_path / "restored"
    done = cli("restore", "--home", restored, tmp_path / "b.zip")
    assert done.returncode == 0, done.stderr
    try:
        up = cli_process("up", "--home", restored, "--workers", "1")
        assert up.returncode == 0, up.stderr
        again = _Client(restored)
        assert again.get(f"runs/get?run_id={info['run_id']}")["run"]["data"]["metrics"][0]["value"] == 0.5
        assert again.fetched(info, "model.bin") == b"weights"
        assert requests.get(f"{again.uri}/api/2.0/mlflow/runs/get?run_id=1", timeout=30).status_code == 401
    finally:
        cli("down", "--home", restored)


class _Client:
    """The administrator of a home, as `client.env` names them."""

    def __init__(self, home: Path) -> None:
        lines = (home / "client.env").read_text().splitlines()
        told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self.uri = told["MLFLOW_TRACKING_URI"]
        self._login = (told["MLFLOW_TRACKING_USERNAME"], told["MLFLOW_TRACKING_PASSWORD"])

    def get(self, path: str) -> dict:
        return self._json(requests.get(f"{self.uri}/api/2.0/mlflow/{path}", auth=self._login, timeout=60))

    def post(self, path: str, **body: object) -> dict:
        return self._json(requests.post(f"{self.uri}/api/2.0/mlflow/{path}", json=body, auth=self._login, timeout=60))

    def put(self, info: dict, name: str, content: bytes) -> None:
        answer = requests.put(self._artifact(info, name), data=content, auth=self._login, timeout=60)
        assert answer.status_code == 200, answer.text

    def fetched(self, info: dict, name: str) -> bytes:
        return requests.get(self._artifact(info, name), auth=self._login, timeout=60).content

    def _artifact(self, info: dict, name: str) -> str:
        path = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
        return f"{self.uri}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}"

    def _json(self, answer: requests.Response) -> dict:
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def own_database(postgres_home: Path) -> Iterator[tuple[str, str]]:
    """The URLs of two empty databases of a PostgreSQL that a home is merely told of."""
    password = json.loads((postgres_home / "credentials.json").read_text())["database_password"]
    postgres = Postgres(postgres_home / "postgres", password)
    running = postgres.service.running()
    assert running is not None
    names = ("own", "other")
    with psycopg.connect(postgres.url(running.port).replace("+psycopg", ""), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
        yield postgres.url(running.port, "own"), postgres.url(running.port, "other")
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_of_one_s_own_goes_into_another_that_is_empty(
    cli: Cli, own_database: tuple[str, str], tmp_path: Path
) -> None:
    url, other = own_database
    home, archive = tmp_path / "home", tmp_path / "b.zip"
    home.mkdir()
    settings = Settings(backend_store_uri=url, artifacts_destination="s3://elsewhere/artifacts")
    settings.keep_in(home)
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    done = cli("backup", "--home", home, archive)
    assert done.returncode == 0, done.stderr
    assert "not in it: the artifacts in s3://elsewhere/artifacts" in done.stdout
    refused(cli("restore", "--home", tmp_path / "new", archive), "holds tables already")
    refused(cli("restore", "--home", tmp_path / "new", archive, "--backend-store-uri", "sqlite:///x.db"), "'sqlite'")
    done = cli("restore", "--home", tmp_path / "new", archive, "--backend-store-uri", other)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(other.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]
    assert asdict(Settings.kept_in(tmp_path / "new")) == asdict(replace(settings, backend_store_uri=other))


def test_a_database_of_mariadb_comes_back(cli: Cli, mariadb: Any, tmp_path: Path) -> None:
    home, archive = tmp_path / "home", tmp_path / "b.zip"
    home.mkdir()
    urls = [mariadb.make(f"kept_{tmp_path.name[-8:]}_{number}".replace("-", "_")) for number in (1, 2)]
    Settings(backend_store_uri=urls[0]).keep_in(home)

    def connection(url: str) -> Any:
        told = make_url(url)
        return pymysql.connect(
            host=told.host, port=told.port, user=told.username, password=told.password, database=told.database
        )

    with connection(urls[0]) as open_connection:
        open_connection.cursor().execute("CREATE TABLE kept (word TEXT) CHARACTER SET utf8mb4")
        open_connection.cursor().execute("INSERT INTO kept VALUES ('häuschen 🏠')")
        open_connection.commit()
    refused(cli("backup", "--home", home, archive, PATH="/nowhere"), "Neither `mariadb-dump` nor `mysqldump`")
    assert not archive.exists()
    done = cli("backup", "--home", home, archive, **mariadb.environment)
    assert done.returncode == 0, done.stderr
    done = cli("restore", "--home", tmp_path / "new", archive, "--backend-store-uri", urls[1], **mariadb.environment)
    assert done.returncode == 0, done.stderr
    with connection(urls[1]) as restored, restored.cursor() as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == (("häuschen 🏠",),)
