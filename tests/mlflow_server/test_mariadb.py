"""A MariaDB of one's own behind the server: refused in sentences where it cannot be used, served where it can."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow_server.database import schema
from mlflow_server.database.connection import connected
from mlflow_server.database.url import checked
from mlflow_server.errors import ServerError

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_wrong_password_a_missing_database_and_one_of_others_are_told_apart(mariadb: Any) -> None:
    url = checked(mariadb.make("told_apart"))
    for other, found in (
        (url.set(password="wrong"), f"127.0.0.1:{url.port} refused the login of 'mlflow'"),
        (url.set(username="somebody"), f"127.0.0.1:{url.port} refused the login of 'somebody'"),
        (url.set(database="mysql"), "'mlflow' may not use the database 'mysql'"),
        (checked(f"mysql+pymysql://root@127.0.0.1:{url.port}/missing"), "There is no database 'missing'"),
    ):
        with pytest.raises(ServerError, match=found), connected(other):
            pass


def test_a_database_whose_tables_could_not_hold_every_name_is_refused_while_it_is_empty(mariadb: Any) -> None:
    with connected(checked(mariadb.make("latin", "latin1"))) as connection:
        with pytest.raises(ServerError, match="ALTER DATABASE `latin` CHARACTER SET utf8mb4"):
            schema.check_alphabet(connection)
        connection.exec_driver_sql("ALTER DATABASE `latin` CHARACTER SET utf8mb4")
        schema.check_alphabet(connection)


def test_runs_models_and_accounts_are_kept_in_mariadb_across_a_restart(
    mariadb: Any, make_home: Callable[..., Path], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = ("--backend-store-uri", mariadb.make("served"), "--artifacts-destination", tmp_path.as_uri())
    home = make_home(*stores, "--workers", "1")
    login = dict(line.removeprefix("export ").split("=", 1) for line in (home / "client.env").read_text().splitlines())
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    uri = login["MLFLOW_TRACKING_URI"]
    assert requests.get(f"{uri}/version", timeout=30).status_code == 401
    client = MlflowClient(uri)
    kept = client.create_run(client.create_experiment("Schätzung 🌱")).info.run_id
    client.log_batch(kept, metrics=[Metric("accuracy", step / 10, 0, step) for step in range(10)])
    client.log_text(kept, "a flower", "flower.txt")
    client.create_registered_model("wine")
    version = client.create_model_version("wine", f"runs:/{kept}/model", kept)
    client.set_registered_model_alias("wine", "prod", version.version)
    shown = run("status", home).stdout
    assert f"database: served at 127.0.0.1:{mariadb.port} (mysql)\n" in shown
    assert mariadb.password not in shown

    run("down", home)
    assert run("up", home).stdout.split()[1] == uri
    assert [metric.value for metric in client.get_metric_history(kept, "accuracy")] == [step / 10 for step in range(10)]
    assert client.get_experiment_by_name("Schätzung 🌱") is not None
    assert client.get_model_version_by_alias("wine", "prod").version == version.version
    assert mariadb.password not in (home / "server.log").read_text()
    assert json.loads((home / "settings.json").read_text())["backend_store_uri"].startswith("mysql+pymysql://")
    assert (home / "settings.json").stat().st_mode & 0o077 == 0
