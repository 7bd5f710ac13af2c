"""`mlflow-server up`, `down` and `status` as a person meets them: the faults first, then the life of a server."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests
from mlflow import MlflowClient
from mlflow_server.home import Home

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_port_in_use_is_named_and_nothing_is_left_running(run: Run, here: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("up", tmp_path / "home", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be had" in done.stderr
    assert "Traceback" not in done.stderr
    assert here("status", tmp_path / "home").stdout == "down\n"
    assert not (tmp_path / "home").exists()


def test_a_home_with_an_empty_name_is_refused(here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("up", "down", "status", "serve", "backup"):
        done = here(name, "")
        assert done.returncode == 2, name
        assert "Invalid value for '--home': it is empty and names no folder" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_home_that_cannot_be_made_is_refused(here: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = here("up", tmp_path / "file" / "home")
    assert done.returncode == 1
    assert "cannot be used (Not a directory)" in done.stderr


def test_a_database_that_is_none_is_refused_by_name_and_with_advice(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlflow.db").write_text("this is no database, though long enough to be read as one" * 50)
    done = run("up", tmp_path / "home")
    assert done.returncode == 1
    assert f"{tmp_path / 'home' / 'mlflow.db'} is none of SQLite's (file is not a database): restore" in done.stderr
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["mlflow.db"]


def test_a_home_is_shut_to_other_users_of_the_machine_and_an_old_one_is_shut(
    served_home: Path, tracking_uri: str, tmp_path: Path
) -> None:
    old = Home(tmp_path / "old")
    for folder in (old.folder, old.artifacts):
        folder.mkdir()
        folder.chmod(0o755)
    old.make()
    for folder in (served_home, served_home / "artifacts", old.folder, old.artifacts):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    everyones = Home(tmp_path / "tmp")
    everyones.folder.mkdir()
    everyones.folder.chmod(0o1777)
    everyones.make()
    assert stat.S_IMODE(everyones.folder.stat().st_mode) == 0o1777


def test_what_asks_graphql_nothing_is_told_so(tracking_uri: str) -> None:
    url = f"{tracking_uri}/graphql"
    for answer in (
        requests.get(url, timeout=30),
        requests.post(url, data="x", timeout=30),
        requests.post(url, json=[], timeout=30),
        requests.post(url, json={"query": 1}, timeout=30),
    ):
        assert (answer.status_code, "Nothing is asked" in answer.text) == (400, True), answer.text
    answer = requests.post(url, json={"query": "{"}, timeout=30)
    assert (answer.status_code, "is no GraphQL" in answer.text) == (400, True)
    asked = requests.post(
        url, json={"query": '{mlflowGetExperiment(input:{experimentId:"0"}){experiment{name}}}'}, timeout=30
    )
    assert "Default" in asked.text


def test_an_interrupt_while_the_commands_are_imported_shows_no_traceback() -> None:
    interrupted = "import sys, builtins, runpy; real = builtins.__import__\ndef stop(name, *a, **k):\n"
    interrupted += " if name == 'click': raise KeyboardInterrupt\n return real(name, *a, **k)\n"
    interrupted += "builtins.__import__ = stop; runpy.run_module('mlflow_server', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted: nothing was begun.\n")


def test_down_and_status_where_nothing_runs(here: Run, tmp_path: Path) -> None:
    assert here("down", tmp_path / "home").stdout == "not running\n"
    done = here("status", tmp_path / "home")
    assert (done.stdout, done.returncode) == ("down\n", 3)


def test_a_record_whose_number_went_to_another_process_stops_nobody(here: Run, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = {"pid": bystander.pid, "started": psutil.Process(bystander.pid).create_time() - 60, "port": 5000}
        (tmp_path / "home" / "server.json").write_text(json.dumps(record))
        assert here("down", tmp_path / "home").stdout == "not running\n"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_copied_home_stops_nothing_of_its_original_and_a_moved_one_still_has_its_server(
    run: Run, here: Run, served_home: Path, tracking_uri: str, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(served_home, tmp_path / "copy"))
    assert (copy / "server.json").exists()
    assert here("down", copy).stdout == "not running\n"
    assert here("status", copy).stdout == "down\n"
    own = run("up", copy).stdout.split()[1]
    pid = json.loads((copy / "server.json").read_text())["pid"]
    moved = copy.rename(tmp_path / "home")
    assert own != tracking_uri
    assert run("down", moved).stdout == "stopped\n"
    assert not psutil.pid_exists(pid)
    assert tracking_uri in here("status", served_home).stdout
    assert MlflowClient(tracking_uri).get_experiment("0").name == "Default"


def test_a_home_has_one_server(run: Run, here: Run, served_home: Path, tracking_uri: str) -> None:
    again = run("up", served_home)
    assert again.returncode == 0
    assert tracking_uri in again.stdout
    elsewhere = here("up", served_home, "--port", "1")
    assert elsewhere.returncode == 1
    assert f"is up on port {tracking_uri.rpartition(':')[2]}, not 1" in elsewhere.stderr
    foreground = here("up", served_home, "--foreground")
    assert foreground.returncode == 1
    assert "Another server serves" in foreground.stderr


def test_up_says_which_isolated_projects_stay_down(here: Run, served_home: Path) -> None:
    (served_home / "projects" / "lab").mkdir(parents=True)
    try:
        done = here("up", served_home)
        assert "the isolated project lab is down: `mlflow-server up --project lab` starts its server" in done.stdout
    finally:
        (served_home / "projects" / "lab").rmdir()


def test_an_interrupt_while_the_server_starts_ends_it_quietly(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    command = [sys.executable, "-u", "-m", "mlflow_server", "up", "--foreground", "--home", str(home)]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        while not (home / "server.json").exists():
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert not (home / "server.json").exists()
    assert "Traceback" not in log.read_text()
