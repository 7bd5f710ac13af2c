"""What a wrong, a missing and an outdated password are answered with, to MLflow's client and to a bare request."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# The longest that a worker goes on taking a password that was changed at another, and some time to ask.
NOTICED_SECONDS = 10 + 5
DOORS = (
    "/api/2.0/mlflow/experiments/get?experiment_id=0",
    "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0",
    "/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/file",
    "/graphql",
    "/metrics",
    "/get-artifact?path=a&run_id=b",
    "/",
)
# None, half a one, nobody's, the administrator's with a wrong password, and other schemes.
LOGINS = (None, "Basic", "Basic !!!", "Basic YWRtaW4=", "Basic Ojo=", "Basic YWRtaW46d3Jvbmc=", "Bearer x", "Digest x")


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

    def as_(name: str | None, password: str | None) -> None:
        for variable, value in (("USERNAME", name), ("PASSWORD", password)):
            if value is None:
                monkeypatch.delenv(f"MLFLOW_TRACKING_{variable}", raising=False)
            else:
                monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", value)

    return as_


@pytest.mark.parametrize("path", DOORS)
def test_no_door_opens_without_a_password(postgres_home: Path, account: Any, path: str) -> None:
    uri = account(postgres_home).uri
    for header in LOGINS:
        answer = requests.get(uri + path, headers={"Authorization": header} if header else {}, timeout=30)
        assert (header, answer.status_code) == (header, 401), answer.text
        assert "www-authenticate" in answer.headers


def test_the_client_says_that_it_is_not_logged_in(postgres_home: Path, account: Any, login: Any) -> None:
    client = MlflowClient(account(postgres_home).uri)
    for name, password in ((None, None), ("admin", "a wrong password"), ("nobody", "a wrong password")):
        login(name, password)
        began = time.monotonic()
        with pytest.raises(MlflowException, match="401"):
            client.search_experiments()
        assert time.monotonic() - began < 20


def test_health_asks_for_no_password(postgres_home: Path, account: Any) -> None:
    assert requests.get(account(postgres_home).uri + "/health", timeout=30).text == "OK"


def test_an_outdated_password_is_refused_by_every_worker_within_seconds(
    postgres_home: Path, account: Any, login: Any
) -> None:
    administrator = account(postgres_home)
    name, old, new = f"user-{time.time_ns()}", "an-old-password", "another-password"
    administrator.made("users/create", username=name, password=old)
    login(name, old)
    client = MlflowClient(administrator.uri)
    run = client.create_run(client.create_experiment(name)).info.run_id
    url = f"{administrator.uri}/api/2.0/mlflow/runs/get?run_id={run}"
    for _ in range(20):  # so that each worker knows it
        assert requests.get(url, auth=(name, old), timeout=30).status_code == 200

    changed = administrator.call("PATCH", "users/update-password", username=name, password=new)
    assert changed.status_code == 200, changed.text
    assert requests.get(url, auth=(name, new), timeout=30).status_code == 200
    deadline = time.monotonic() + NOTICED_SECONDS
    while any(requests.get(url, auth=(name, old), timeout=30).status_code != 401 for _ in range(20)):
        assert time.monotonic() < deadline, "the old password is still taken"
        time.sleep(0.5)
    with pytest.raises(MlflowException, match="401"):
        client.log_metric(run, "lost", 1)
    login(name, new)
    client.log_metric(run, "kept", 1)
    assert client.get_run(run).data.metrics == {"kept": 1}


def test_a_deleted_user_is_refused_within_seconds(postgres_home: Path, account: Any) -> None:
    administrator = account(postgres_home)
    name, password = f"user-{time.time_ns()}", "an-old-password"
    administrator.made("users/create", username=name, password=password)
    url = f"{administrator.uri}/api/2.0/mlflow/experiments/search?max_results=1"
    for _ in range(10):
        assert requests.get(url, auth=(name, password), timeout=30).status_code == 200
    assert administrator.call("DELETE", "users/delete", username=name).status_code == 200
    deadline = time.monotonic() + NOTICED_SECONDS
    while any(requests.get(url, auth=(name, password), timeout=30).status_code == 200 for _ in range(10)):
        assert time.monotonic() < deadline, "the deleted user is still let in"
        time.sleep(0.5)
