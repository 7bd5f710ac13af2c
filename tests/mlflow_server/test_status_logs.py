"""`status` and `logs`: what a person is told of a server, its stores and what they said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from mlflow_server.home import Home
from mlflow_server.local import prepare
from mlflow_server.settings import Settings

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_status_names_the_stores_accounts_and_projects_of_an_embedded_server(run: Run, served_home: Path) -> None:
    done = run("status", served_home)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == [
        f"database: SQLite, {served_home / 'mlflow.db'}",
        f"artifacts: folder, {served_home / 'artifacts'}",
        "accounts: none",
        "projects: off",
    ]


def test_status_names_the_stores_that_were_started_with_the_server_and_no_password(
    here: Run, postgres_home: Path
) -> None:
    done = here("status", postgres_home)
    assert done.returncode == 0, done.stdout
    up, database, artifacts, accounts, *_ = done.stdout.splitlines()
    assert up.startswith("up: http://127.0.0.1:")
    assert database.startswith("database: PostgreSQL on 127.0.0.1:")
    assert artifacts.startswith("artifacts: S3 (rclone) on 127.0.0.1:")
    assert accounts == f"accounts: asked for (log in with {postgres_home / 'client.env'})"
    for secret in json.loads((postgres_home / "credentials.json").read_text())["accounts"].values():
        assert secret == "admin" or secret not in done.stdout


def test_stores_that_run_are_stopped_even_where_the_files_that_tell_of_them_are_damaged(
    here: Run, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    home.make()
    settings = Settings(postgres=True)
    settings.keep_in(home.folder)
    try:
        prepare(home, settings)
        for name in ("settings.json", "credentials.json"):
            (home.folder / name).write_text("{")
    finally:
        stopped = here("down", home.folder).stdout
    assert stopped == "stopped\n"
    assert here("down", home.folder).stdout == "not running\n"


def test_a_server_that_does_not_answer_is_not_called_up(here: Run, tmp_path: Path) -> None:
    (tmp_path / "home" / "artifacts").mkdir(parents=True)
    (tmp_path / "home" / "mlflow.db").touch()
    holds, lock = "import sys, time; lock = open(sys.argv[1], 'w'); time.sleep(60)", tmp_path / "home" / "lock"
    bystander = subprocess.Popen([sys.executable, "-c", holds, str(lock)])
    try:
        while not lock.exists():
            assert bystander.poll() is None
            time.sleep(0.02)
        record = {"pid": bystander.pid, "started": psutil.Process(bystander.pid).create_time(), "port": 1}
        (tmp_path / "home" / "server.json").write_text(json.dumps(record))
        done = here("status", tmp_path / "home")
        assert done.returncode == 4
        assert done.stdout.startswith("started but not answering: http://127.0.0.1:1 ")
        (tmp_path / "home" / "mlflow.db").unlink()
        done = here("status", tmp_path / "home")
        assert done.returncode == 5
        assert f"database: SQLite, {tmp_path / 'home' / 'mlflow.db'} (down)\n" in done.stdout
    finally:
        bystander.kill()
        bystander.wait()
        (tmp_path / "home" / "server.json").unlink()


def test_the_logs_of_stores_that_others_keep_are_not_here(here: Run, served_home: Path, tmp_path: Path) -> None:
    done = here("logs", served_home, "--service", "database")
    assert done.returncode == 1
    assert "has no database of its own that says anything" in done.stderr
    done = here("logs", tmp_path / "home")
    assert done.returncode == 1
    assert "There is no log" in done.stderr


def test_logs_shows_the_last_lines_of_the_service_that_is_meant(here: Run, postgres_home: Path) -> None:
    said = here("logs", postgres_home, "--service", "database").stdout
    assert "database system is ready to accept connections" in said
    assert "Starting s3 server" in here("logs", postgres_home, "--service", "objects").stdout
    assert len(here("logs", postgres_home, "--lines", "2").stdout.splitlines()) == 2


def test_follow_goes_on_through_a_log_that_begins_anew_and_ends_quietly(tmp_path: Path) -> None:
    log = tmp_path / "home" / "server.log"
    log.parent.mkdir()
    log.write_text("one\ntwo\nthree\n")
    command = [
        sys.executable,
        "-u",
        "-m",
        "mlflow_server",
        "logs",
        "--home",
        str(log.parent),
        "--follow",
        "--lines",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        limit = threading.Timer(60, process.kill)
        limit.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "three\n"
        with log.open("a") as more:
            more.write("four\n")
        assert process.stdout.readline() == "four\n"
        log.write_text("anew\n")
        assert process.stdout.readline() == "anew\n"
        process.send_signal(2)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        limit.cancel()


@pytest.mark.parametrize("command", [["--help"], ["status"]])
def test_help_and_status_load_neither_mlflow_nor_the_drivers(command: list[str], tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlflow_server", *command],
        env={**os.environ, "MLFLOW_SERVER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    loaded = {line.rpartition("|")[2].strip() for line in found.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in loaded
    assert loaded & {"mlflow", "sqlalchemy", "boto3", "botocore", "pandas", "uvicorn"} == set()
