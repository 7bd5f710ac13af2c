"""What a training says of an MLflow server that cannot be used, and how it leaves its run when something else fails."""

import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from failure import TrainingError
from mlflow.tracking import MlflowClient
from splits import read_splits
from tracking import tracked_run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def open_run(uri: str) -> None:
    with tracked_run(uri, "experiment", "job", {}):
        pass


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "answered 401: it refuses this job's credentials"),
        (403, "answered 403: it refuses this job's credentials"),
        (503, "keeps answering with server errors"),
    ],
)
def test_a_server_that_refuses_is_reported_as_that(
    impatient: None, answering: Callable[[int], str], status: int, says: str
) -> None:
    uri = answering(status)
    with pytest.raises(TrainingError, match=f"The MLflow server at {uri} {says}"):
        open_run(uri)


def test_a_server_that_never_answers_is_given_up(impatient: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TrainingError, match="cannot be reached"):
        open_run(f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    ("error", "status"),
    [(TrainingError("no rows"), "FAILED"), (ValueError("a bug"), "FAILED"), (SystemExit(1), "KILLED")],
)
def test_a_run_is_closed_whatever_ends_it(mlflow_uri: str, error: BaseException, status: str) -> None:
    name = uuid.uuid4().hex
    with pytest.raises(type(error)), tracked_run(mlflow_uri, name, "job", {}):
        raise error
    client = MlflowClient(mlflow_uri)
    run = client.search_runs([client.get_experiment_by_name(name).experiment_id])[0]
    assert run.info.status == status
    assert run.data.tags.get("failure") == ("no rows" if isinstance(error, TrainingError) else None)


def test_a_deleted_experiment_is_named_with_the_way_back(mlflow_uri: str) -> None:
    client = MlflowClient(mlflow_uri)
    name = uuid.uuid4().hex
    client.delete_experiment(client.create_experiment(name))
    with (
        pytest.raises(TrainingError, match=f"experiment '{name}' is deleted"),
        tracked_run(mlflow_uri, name, "job", {}),
    ):
        pass


def test_trials_that_log_the_same_data_at_once_all_do(mlflow_uri: str, splits: Path) -> None:
    trials, read = 8, read_splits(*(splits / name for name in ("train", "validation", "test")))
    for _ in range(3):
        name, together = uuid.uuid4().hex, threading.Barrier(trials)

        def log(number: int, name: str = name, together: threading.Barrier = together) -> None:
            with tracked_run(mlflow_uri, name, f"job-{number}", {}) as run:
                together.wait(60)
                run.log_splits(read, "s3://bucket/data")

        MlflowClient(mlflow_uri).create_experiment(name)
        with ThreadPoolExecutor(trials) as pool:
            list(pool.map(log, range(trials)))
        client = MlflowClient(mlflow_uri)
        runs = client.search_runs([client.get_experiment_by_name(name).experiment_id])
        assert [len(run.inputs.dataset_inputs) for run in runs] == [3] * trials
