"""What clients lose when the server or one of its stores ends under them: nothing that was acknowledged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

WRITERS = 50


@pytest.fixture(scope="module")
def broken_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server on PostgreSQL and an object store of this module's own: each test leaves it up."""
    home = tmp_path_factory.mktemp("broken") / "home"
    command = [sys.executable, "-m", "mlflow_server"]
    up = [*command, "up", "--postgres", "--workers", "1", "--home", str(home)]
    done = subprocess.run(up, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield home
    subprocess.run([*command, "down", "--home", str(home)], capture_output=True, check=False)


@pytest.fixture
def client(broken_home: Path, account: Any, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """MLflow's own client, logged in, which tries again for some seconds only."""
    who = account(broken_home)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", who.login[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", who.login[1])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    return MlflowClient(who.uri)


def test_what_fifty_runs_were_acknowledged_outlasts_the_server_and_the_database(
    broken_home: Path, writers: Any, kill: Callable[[Path], None], up_again: Callable[[Path], None], here: Any
) -> None:
    running = writers(broken_home, WRITERS)
    running.wait_for(2 * WRITERS)
    kill(broken_home / "server.json")
    status = here("status", broken_home)
    assert status.returncode == 3
    assert status.stdout.startswith("down\ndatabase: still running; `mlflow-server up` serves it again")
    up_again(broken_home)
    running.wait_for(WRITERS)

    database = broken_home / "postgres" / "service.json"
    for ending in (signal.SIGINT, signal.SIGKILL):
        if ending == signal.SIGKILL:
            kill(database)
        else:
            process = psutil.Process(json.loads(database.read_text())["pid"])
            process.send_signal(ending)
            process.wait(30)
        running.wait_until_unanswered(WRITERS)
        up_again(broken_home)
        running.wait_for(WRITERS)
    running.stop()
    assert not running.refusals
    assert len(running.acknowledged) == WRITERS
    running.assert_nothing_acknowledged_is_lost()


def test_without_its_database_the_server_says_so_and_asks_to_try_again(
    broken_home: Path,
    client: MlflowClient,
    account: Any,
    kill: Callable[[Path], None],
    up_again: Callable[[Path], None],
    here: Any,
) -> None:
    # One whom no worker remembers: who was let in just now may go on to files for some seconds.
    stranger = replace(account(broken_home), login=("stranger", "a-password-of-hers"))
    account(broken_home).made("users/create", username="stranger", password="a-password-of-hers")
    kill(broken_home / "postgres" / "service.json")
    try:
        answers = [
            account(broken_home).call("GET", "experiments/get?experiment_id=0"),
            stranger.call("GET", "../mlflow-artifacts/artifacts/0/some/artifacts/file"),
        ]
        with pytest.raises(MlflowException, match="too many 503 error responses"):
            client.get_experiment("0")
        listed = here("list-users", broken_home)
    finally:
        up_again(broken_home)
    assert [answer.status_code for answer in answers] == [503, 503], [answer.text for answer in answers]
    assert answers[0].json()["message"].startswith("The database does not answer this server")
    assert listed.returncode == 1
    assert listed.stderr.startswith("Error: The database does not answer this server"), listed.stderr
    for leaked in ("psycopg", "Background", "SQL"):
        assert leaked not in listed.stderr + "".join(answer.text for answer in answers)
    assert client.get_experiment("0").name == "Default"


def test_without_the_object_store_an_upload_is_answered_with_a_sentence_and_runs_go_on(
    broken_home: Path,
    client: MlflowClient,
    account: Any,
    kill: Callable[[Path], None],
    up_again: Callable[[Path], None],
    here: Any,
    tmp_path: Path,
) -> None:
    run = client.create_run("0").info.run_id
    client.log_text(run, "kept", "before.txt")
    kill(broken_home / "objects" / "service.json")
    try:
        status = here("status", broken_home)
        answers = [
            account(broken_home).call("PUT", f"../mlflow-artifacts/artifacts/0/{run}/artifacts/during.txt"),
            account(broken_home).call("GET", f"../mlflow-artifacts/artifacts/0/{run}/artifacts/before.txt"),
            account(broken_home).call("GET", f"artifacts/list?run_id={run}"),
        ]
        with pytest.raises(Exception, match="too many 503 error responses"):
            client.log_text(run, "lost", "during.txt")
        client.log_metric(run, "accuracy", 0.5)
        client.set_terminated(run)
    finally:
        up_again(broken_home)
    assert status.returncode == 5
    assert f"artifacts: S3 (rclone) in {broken_home / 'objects'} (down)\n" in status.stdout
    assert "`mlflow-server up`" in status.stderr
    assert here("status", broken_home).returncode == 0
    for answer in answers:
        assert answer.status_code == 503
        assert "The artifact store does not answer this server" in answer.json()["message"]
    assert client.get_run(run).data.metrics == {"accuracy": 0.5}
    assert [found.path for found in client.list_artifacts(run)] == ["before.txt"]
    client.log_text(run, "again", "after.txt")
    assert Path(client.download_artifacts(run, "after.txt", str(tmp_path))).read_text() == "again"


def test_an_upload_while_the_object_store_is_away_for_a_moment_arrives(
    broken_home: Path,
    client: MlflowClient,
    kill: Callable[[Path], None],
    up_again: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    run = client.create_run("0").info.run_id
    kill(broken_home / "objects" / "service.json")
    upload = threading.Thread(target=client.log_text, args=(run, "patient", "patient.txt"))
    upload.start()
    up_again(broken_home)
    upload.join(120)
    assert Path(client.download_artifacts(run, "patient.txt", str(tmp_path))).read_text() == "patient"
