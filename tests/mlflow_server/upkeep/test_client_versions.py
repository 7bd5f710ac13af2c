"""Which versions of MLflow's client call: noted in the database once they were let in, and nothing else is."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import requests
from mlflow_server.credentials import Credentials
from mlflow_server.stack.postgres import Postgres

_EXPERIMENT = "api/2.0/mlflow/experiments/get?experiment_id=0"
_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'mlflow_server_client_versions'"
_SEEN = "SELECT version, seen_on FROM mlflow_server_client_versions"


def _call(uri: str, agent: str, login: tuple[str, str] | None = None) -> int:
    return requests.get(f"{uri}/{_EXPERIMENT}", headers={"User-Agent": agent}, auth=login, timeout=60).status_code


def test_a_client_is_noted_with_the_day_and_a_browser_is_not(served_home: Path, tracking_uri: str) -> None:
    for agent in ("Mozilla/5.0", "mlflow-python-client/", "mlflow-python-client/2.9.1; DROP TABLE runs", "curl/8.0"):
        assert _call(tracking_uri, agent) == 200
    assert _call(tracking_uri, "mlflow-python-client/2.9.1") == 200
    deadline = time.monotonic() + 60
    seen: dict[str, str] = {}
    while "2.9.1" not in seen:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        with closing(sqlite3.connect(served_home / "mlflow.db")) as connection:
            if connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'mlflow_server_client_versions'"
            ).fetchone():
                seen = dict(connection.execute(_SEEN).fetchall())
    assert seen["2.9.1"] == datetime.now(UTC).date().isoformat()
    assert all(version[0].isdigit() and " " not in version for version in seen)


def test_who_is_not_let_in_is_not_noted(postgres_home: Path) -> None:
    credentials, _ = Credentials.kept_in(postgres_home)
    uri = f"http://127.0.0.1:{(postgres_home / 'port').read_text()}"
    assert _call(uri, "mlflow-python-client/1.2.3", ("admin", "a guess")) == 401
    assert _call(uri, "mlflow-python-client/2.9.1", (credentials.accounts.admin, credentials.accounts.password)) == 200
    postgres = Postgres(postgres_home / "postgres", credentials.database_password)
    running = postgres.service.running()
    assert running is not None
    deadline = time.monotonic() + 60
    seen: set[str] = set()
    with psycopg.connect(postgres.url(running.port).replace("+psycopg", ""), autocommit=True) as connection:
        while "2.9.1" not in seen:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            if connection.execute("SELECT to_regclass('mlflow_server_client_versions')").fetchone() != (None,):
                seen = {str(version) for version, _ in connection.execute(_SEEN).fetchall()}
    assert "1.2.3" not in seen
