"""What is logged on PostgreSQL, in one statement of ours, is what MLflow's own store keeps of the same (SQLite)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

LONGEST = 250


@dataclass(frozen=True)
class Api:
    """MLflow's REST API, with a run and an experiment of the test's own."""

    uri: str
    login: tuple[str, str] | None

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = requests.post(f"{self.uri}/api/2.0/mlflow/{path}", json=body, auth=self.login, timeout=60)
        return answer.status_code, answer.json()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = requests.get(f"{self.uri}/api/2.0/mlflow/{path}", params=query, auth=self.login, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def new_run(self) -> str:
        name = f"metrics-{time.time_ns()}"
        experiment = self.post("experiments/create", name=name)[1]["experiment_id"]
        return str(self.post("runs/create", experiment_id=experiment)[1]["run"]["info"]["run_id"])

    def logged(self, run: str, keys: list[str]) -> dict[str, Any]:
        """All that a run has of some metrics: what is latest, and the history."""
        latest = self.get("runs/get", run_id=run)["run"]["data"].get("metrics", [])
        history = {key: self.get("metrics/get-history", run_id=run, metric_key=key).get("metrics", []) for key in keys}
        fields = ("key", "value", "timestamp", "step")

        def rows(metrics: list[dict[str, Any]]) -> list[list[str]]:
            return sorted([str(metric.get(name)) for name in fields] for metric in metrics)

        return {"latest": rows(latest), "history": {key: rows(metrics) for key, metrics in history.items()}}


@pytest.fixture
def apis(postgres_home: Path, tracking_uri: str) -> tuple[Api, Api]:
    """Ours, and MLflow's own."""
    lines = (postgres_home / "client.env").read_text().splitlines()
    told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    login = (told["MLFLOW_TRACKING_USERNAME"], told["MLFLOW_TRACKING_PASSWORD"])
    return Api(told["MLFLOW_TRACKING_URI"], login), Api(tracking_uri, None)


def metric(key: str, value: float | str, timestamp: int = 1000, step: int = 0) -> dict[str, Any]:
    return {"key": key, "value": value, "timestamp": timestamp, "step": step}


@pytest.mark.parametrize(
    "wrong",
    [
        [metric("", 1)],
        [metric("a" * (LONGEST + 1), 1)],
        [metric("../a", 1)],
        [metric("a", 1), {"key": "b", "timestamp": 1, "step": 1}],
        [metric("a", 1)] * 1001,
    ],
    ids=["no name", "name too long", "path as name", "no value", "too many"],
)
def test_a_batch_that_mlflow_refuses_is_refused_alike_and_leaves_nothing(apis: Any, wrong: list[Any]) -> None:
    answers = []
    for api in apis:
        run = api.new_run()
        status, said = api.post("runs/log-batch", run_id=run, metrics=wrong)
        answers.append((status, said["error_code"], said["message"]))
        assert api.logged(run, ["a"])["latest"] == []
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


def test_a_run_that_is_missing_or_deleted_takes_no_metric(apis: Any) -> None:
    answers = []
    for api in apis:
        run = api.new_run()
        api.post("runs/delete", run_id=run)
        for unknown in (run, "0" * 32, "no run"):
            status, said = api.post("runs/log-batch", run_id=unknown, metrics=[metric("a", 1)])
            answers.append((status, said["error_code"], said["message"].replace(run, "RUN")))
    assert answers[:3] == answers[3:]
    assert [status for status, *_ in answers[:3]] == [400, 404, 400]


def test_numbers_of_all_kinds_are_kept_alike(apis: Any) -> None:
    kinds = [0.0, 1, -1.5, 5e-324, 1.7976931348623157e308, "NaN", "Infinity", "-Infinity", math.pi, 2**53 + 1]
    keys = [f"m{number}" for number in range(len(kinds))]
    kept = []
    for api in apis:
        run = api.new_run()
        batch = [metric(key, value) for key, value in zip(keys, kinds, strict=True)]
        assert api.post("runs/log-batch", run_id=run, metrics=[*batch, metric("é/ü x-y.z_1", 1, step=-3)])[0] == 200
        kept.append(api.logged(run, [*keys, "é/ü x-y.z_1"]))
    assert kept[0] == kept[1]


def test_the_latest_metric_is_that_of_the_highest_step_then_time_then_value(apis: Any) -> None:
    batches = [
        [metric("a", 1, 10, 5), metric("a", 9, 99, 4), metric("b", 2, 10, 0), metric("b", 3, 10, 0)],
        [metric("a", 7, 9, 5), metric("b", 2.5, 10, 0), metric("c", 1)],
        [metric("a", 8, 11, 5), metric("b", "NaN", 11, 0), metric("c", 1)],
        [metric("a", 6, 1, 6), metric("a", 6, 1, 6), metric("b", -1, 11, 0)],
    ]
    kept = []
    for api in apis:
        run = api.new_run()
        for batch in batches:
            assert api.post("runs/log-batch", run_id=run, metrics=batch)[0] == 200
            kept.append(api.logged(run, ["a", "b", "c"]))
    assert kept[: len(batches)] == kept[len(batches) :]


def test_a_batch_that_is_sent_again_adds_nothing(apis: Any) -> None:
    api = apis[0]
    run = api.new_run()
    batch = [metric("a", step, step, step) for step in range(50)]
    assert api.post("runs/log-batch", run_id=run, metrics=batch[:30])[0] == 200
    assert api.post("runs/log-batch", run_id=run, metrics=batch)[0] == 200
    assert api.post("runs/log-metric", run_id=run, **batch[7])[0] == 200
    assert len(api.logged(run, ["a"])["history"]["a"]) == len(batch)


def test_parameters_and_tags_of_a_batch_are_kept_with_its_metrics(apis: Any) -> None:
    api = apis[0]
    run = api.new_run()
    pair = [{"key": "depth", "value": "3"}]
    assert api.post("runs/log-batch", run_id=run, metrics=[metric("a", 1)], params=pair, tags=pair)[0] == 200
    data = api.get("runs/get", run_id=run)["run"]["data"]
    assert data["params"] == pair
    assert pair[0] in data["tags"]
    assert [logged["key"] for logged in data["metrics"]] == ["a"]
