"""What the embedded server does for its clients: artifacts through HTTP, and no answer to strangers."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import requests
from mlflow import MlflowClient


def test_a_request_for_another_host_is_refused(tracking_uri: str) -> None:
    url = f"{tracking_uri}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert requests.get(url, headers={"Host": "evil.example"}, timeout=30).status_code == 403
    assert requests.get(url, timeout=30).status_code == 200


def test_a_path_out_of_the_artifacts_is_refused(tracking_uri: str, served_home: Path) -> None:
    (served_home / "secret.txt").write_text("not an artifact")
    for path in ("../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt"):
        url = f"{tracking_uri}/api/2.0/mlflow-artifacts/artifacts/{path}"
        prepared = requests.Request("GET", url).prepare()
        prepared.url = url
        with requests.Session() as session:
            assert "not an artifact" not in session.send(prepared, timeout=30).text


def test_artifacts_go_through_the_server_and_lie_in_its_home(
    tracking_uri: str, served_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    client = MlflowClient(tracking_uri)
    run = client.create_run(client.create_experiment("artifacts"))
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    client.log_text(run.info.run_id, "a flower", "notes/flower.txt")
    fetched = client.download_artifacts(run.info.run_id, "notes/flower.txt", str(tmp_path))
    assert Path(fetched).read_text() == "a flower"
    (kept,) = (served_home / "artifacts").rglob("flower.txt")
    assert kept.read_text() == "a flower"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_server_is_one_process_on_the_loopback_address_that_calls_no_one(tracking_uri: str) -> None:
    port = int(tracking_uri.rpartition(":")[2])
    listening = [
        connection
        for connection in psutil.net_connections("inet")
        if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    ]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]
    server = psutil.Process(listening[0].pid)
    assert server.children(recursive=True) == []
    outward = [it for it in server.net_connections("inet") if it.raddr and it.raddr.ip != "127.0.0.1"]
    assert outward == []
