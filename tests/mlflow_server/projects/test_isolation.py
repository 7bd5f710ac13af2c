"""A member of one project at every door of another's: nothing is seen, nothing is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import MARK, VALUE, Account, Made, Neighbours

API, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
FILES, AJAX_FILES = "/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"

MARKS = (MARK, str(VALUE), "attachments")
READS = {
    "run": f"{API}/runs/get?run_id={{run}}",
    "run's metric history": f"{API}/metrics/get-history?run_id={{run}}&metric_key=m",
    "metric histories": "/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={run}&metric_key=m",
    "metric intervals": f"{API}/metrics/get-history-bulk-interval?run_ids={{run}}&metric_key=m&max_results=5",
    "run's files": f"{API}/artifacts/list?run_id={{run}}",
    "run, to the browser": "/ajax-api/2.0/mlflow/runs/get?run_id={run}",
    "experiment": f"{API}/experiments/get?experiment_id={{experiment}}",
    "experiment by name": f"{API}/experiments/get-by-name?experiment_name={{registered}}",
    "file of a run": "/get-artifact?run_id={run}&path=s.txt",
    "file of a version": "/model-versions/get-artifact?name={registered}&version=1&path=s.txt",
    "file of a logged model": "/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files?artifact_file_path=s.txt",
    "files of a logged model": f"{API}/logged-models/{{model}}/artifacts/directories",
    "logged model": f"{API}/logged-models/{{model}}",
    "registered model": f"{API}/registered-models/get?name={{registered}}",
    "registered models": f"{API}/registered-models/search?filter=name%20LIKE%20%27name%25%27",
    "version": f"{API}/model-versions/get?name={{registered}}&version=1",
    "versions": f"{API}/model-versions/search",
    "version's place": f"{API}/model-versions/get-download-uri?name={{registered}}&version=1",
    "alias": f"{API}/registered-models/alias?name={{registered}}&alias=best",
    "latest versions": f"{API}/registered-models/get-latest-versions?name={{registered}}",
    "trace": f"{V3}/traces/{{trace}}",
    "trace with spans": f"{V3}/traces/get?trace_id={{trace}}",
    "traces": f"{V3}/traces/batchGet?trace_ids={{trace}}",
    "trace of old": f"{API}/traces/{{trace}}/info",
    "file of a trace": "/ajax-api/3.0/mlflow/get-trace-artifact?request_id={trace}",
    "workspace": f"{V3}/workspaces/alpha",
    "workspaces": f"{V3}/workspaces",
    "roles": f"{V3}/roles/list?workspace=alpha",
    "all roles": f"{V3}/roles/list",
    "roles of a user": f"{V3}/users/roles/list?username=anna",
    "users": f"{API}/users/list",
    "proxy": f"{FILES}/artifacts/{{experiment}}/{{run}}/artifacts/s.txt",
    "proxy to the browser": f"{AJAX_FILES}/artifacts/{{experiment}}/{{run}}/artifacts/s.txt",
    "proxy by workspace": f"{FILES}/artifacts/workspaces/alpha/{{experiment}}/{{run}}/artifacts/s.txt",
    "proxy, list": f"{FILES}/artifacts?path={{experiment}}/{{run}}/artifacts",
    "proxy, list by workspace": f"{FILES}/artifacts?path=workspaces/alpha/{{experiment}}/{{run}}/artifacts",
    "proxy, list workspaces": f"{FILES}/artifacts?path=workspaces",
    "presigned": f"{FILES}/presigned/{{experiment}}/{{run}}/artifacts/s.txt",
    "presigned by workspace": f"{FILES}/presigned/workspaces/alpha/{{experiment}}/{{run}}/artifacts/s.txt",
}
SEARCHES: dict[str, tuple[str, Any]] = {
    "runs": (f"{API}/runs/search", {"experiment_ids": ["{experiment}"]}),
    "runs of all": (f"{API}/runs/search", {"experiment_ids": ["{experiment}", "{own}"]}),
    "experiments": (f"{API}/experiments/search", {"max_results": 1000}),
    "logged models": (f"{API}/logged-models/search", {"experiment_ids": ["{experiment}"]}),
    "traces": (
        f"{V3}/traces/search",
        {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "{experiment}"}}]},
    ),
    "trace infos": (f"{V3}/traces/batchGetInfos", {"trace_ids": ["{trace}"]}),
    "data sets": ("/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": ["{experiment}"]}),
    "data sets, misspelt": ("/api/2.0mlflow/experiments/search-datasets", {"experiment_ids": ["{experiment}"]}),
    "graphql run": ("/graphql", {"query": '{mlflowGetRun(input:{runId:"{run}"}){run{data{params{key value}}}}}'}),
    "graphql experiment": (
        "/graphql",
        {"query": '{mlflowGetExperiment(input:{experimentId:"{experiment}"}){experiment{tags{key value}}}}'},
    ),
    "graphql runs": (
        "/graphql",
        {"query": '{mlflowSearchRuns(input:{experimentIds:["{experiment}"]}){runs{data{tags{key value}}}}}'},
    ),
    "graphql files": (
        "/graphql",
        {"query": '{mlflowListArtifacts(input:{runId:"{run}"}){files{path}}}'},
    ),
    "presigned file": (f"{API}/artifacts/presigned-download-url", {"run_id": "{run}", "path": "s.txt"}),
    "presigned upload": (f"{API}/artifacts/presigned-upload-url", {"run_id": "{run}", "path": "s.txt"}),
}
WRITES: dict[str, tuple[str, str, Any]] = {
    "metric": ("POST", f"{API}/runs/log-metric", {"run_id": "{run}", "key": "x", "value": 1, "timestamp": 1}),
    "batch": ("POST", f"{API}/runs/log-batch", {"run_id": "{run}", "params": [{"key": "x", "value": "x"}]}),
    "run's end": ("POST", f"{API}/runs/update", {"run_id": "{run}", "status": "FAILED"}),
    "run's deletion": ("POST", f"{API}/runs/delete", {"run_id": "{run}"}),
    "run's restoration": ("POST", f"{API}/runs/restore", {"run_id": "{run}"}),
    "run in it": ("POST", f"{API}/runs/create", {"experiment_id": "{experiment}"}),
    "experiment's name": ("POST", f"{API}/experiments/update", {"experiment_id": "{experiment}", "new_name": "x"}),
    "experiment's deletion": ("POST", f"{API}/experiments/delete", {"experiment_id": "{experiment}"}),
    "experiment's restoration": ("POST", f"{API}/experiments/restore", {"experiment_id": "{experiment}"}),
    "version": ("POST", f"{API}/model-versions/create", {"name": "{registered}", "source": "runs:/{run}/m"}),
    "version's deletion": ("DELETE", f"{API}/model-versions/delete", {"name": "{registered}", "version": "1"}),
    "model's name": ("POST", f"{API}/registered-models/rename", {"name": "{registered}", "new_name": "x"}),
    "model's deletion": ("DELETE", f"{API}/registered-models/delete", {"name": "{registered}"}),
    "alias": ("POST", f"{API}/registered-models/alias", {"name": "{registered}", "alias": "x", "version": "1"}),
    "logged model's deletion": ("DELETE", f"{API}/logged-models/{{model}}", None),
    "trace's tag": ("PATCH", f"{V3}/traces/{{trace}}/tags", {"key": "x", "value": "x"}),
    "traces' deletion": (
        "POST",
        f"{V3}/traces/delete-traces",
        {"experiment_id": "{experiment}", "request_ids": ["{trace}"]},
    ),
    "file": ("PUT", f"{FILES}/artifacts/{{experiment}}/{{run}}/artifacts/s.txt", b"changed"),
    "file by workspace": ("PUT", f"{FILES}/artifacts/workspaces/alpha/{{experiment}}/{{run}}/artifacts/s.txt", b"x"),
    "file's deletion": ("DELETE", f"{FILES}/artifacts/{{experiment}}/{{run}}/artifacts/s.txt", None),
    "file in parts": (
        "POST",
        f"{FILES}/mpu/create/{{experiment}}/{{run}}/artifacts",
        {"path": "s.txt", "num_parts": 1},
    ),
    "file by the browser": ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=s.txt", b"changed"),
    "workspace's deletion": ("DELETE", f"{V3}/workspaces/alpha", None),
    "workspace's place": ("PATCH", f"{V3}/workspaces/beta", {"default_artifact_root": "s3://mlflow/artifacts"}),
    "workspace": ("POST", f"{V3}/workspaces", {"name": "gamma"}),
    "role": ("POST", f"{V3}/roles/create", {"workspace": "alpha", "name": "x"}),
    "own permission": (
        "POST",
        f"{V3}/users/permissions/grant",
        {"username": "bert", "resource_type": "experiment", "resource_id": "{experiment}", "permission": "MANAGE"},
    ),
    "user": ("POST", f"{API}/users/create", {"username": "mallory", "password": "longlonglonglong"}),
    "other's password": (
        "PATCH",
        f"{API}/users/update-password",
        {"username": "anna", "password": "longlonglonglong"},
    ),
    "administration": ("PATCH", f"{API}/users/update-admin", {"username": "bert", "is_admin": True}),
    "user's deletion": ("DELETE", f"{API}/users/delete", {"username": "anna"}),
}
# Who says in which project a request is: rightly, wrongly, nobody, both, in capitals, with more than a name.
WORKSPACES: dict[str, list[tuple[str, str]]] = {
    "own": [("X-MLFLOW-WORKSPACE", "beta")],
    "theirs": [("X-MLFLOW-WORKSPACE", "alpha")],
    "none": [],
    "both": [("X-MLFLOW-WORKSPACE", "beta"), ("X-MLFLOW-WORKSPACE", "alpha")],
    "both, theirs first": [("X-MLFLOW-WORKSPACE", "alpha"), ("x-mlflow-workspace", "beta")],
    "climbing": [("X-MLFLOW-WORKSPACE", "beta/../alpha")],
}


def _filled(value: Any, made: Made, own: Made) -> Any:
    if isinstance(value, bytes) or value is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    for name in ("experiment", "run", "location", "model", "trace", "registered"):
        text = text.replace(f"{{{name}}}", getattr(made, name))
    text = text.replace('"{own}"', f'"{own.experiment}"')
    return text if isinstance(value, str) else json.loads(text)


def _everything(account: Account, made: Made) -> dict[str, Any]:
    """What the owner sees of what it made."""
    paths = ("run", "experiment", "file of a run", "version", "alias", "logged model", "trace", "registered model")
    return {name: account.ask("GET", _filled(READS[name], made, made)).text for name in paths}


@pytest.mark.parametrize("headers", WORKSPACES.values(), ids=WORKSPACES.keys())
def test_a_member_of_another_project_sees_nothing_at_any_door(
    neighbours: Neighbours, headers: list[tuple[str, str]]
) -> None:
    seen = []
    for name, path in READS.items():
        answer = neighbours.bert.ask("GET", _filled(path, neighbours.made, neighbours.own), headers=headers)
        if any(mark in answer.text for mark in (*MARKS, "anna", '"alpha"')) or answer.status >= 500:
            seen.append((name, answer))
    for name, (path, body) in SEARCHES.items():
        answer = neighbours.bert.ask("POST", path, _filled(body, neighbours.made, neighbours.own), headers)
        if any(mark in answer.text for mark in (*MARKS, "s.txt")) or answer.status >= 500:
            seen.append((name, answer))
    assert not seen


def test_the_same_doors_open_for_who_owns_what_is_behind(neighbours: Neighbours) -> None:
    closed = []
    # What lists more than one project or nothing at all, what no object store signs here, and a trace without spans.
    lists = {"workspaces", "proxy, list workspaces", "all roles", "presigned", "presigned by workspace", "workspace"}
    lists |= {"trace with spans", "traces", "file of a trace"}
    for name in READS.keys() - lists:
        answer = neighbours.anna.ask("GET", _filled(READS[name], neighbours.made, neighbours.made))
        if answer.status != 200:
            closed.append((name, answer))
    for name, (path, body) in SEARCHES.items():
        answer = neighbours.anna.ask("POST", path, _filled(body, neighbours.made, neighbours.made))
        if answer.status != 200 and "presigned" not in name and "misspelt" not in name:
            closed.append((name, answer))
    assert not closed


@pytest.mark.parametrize("workspace", ["own", "theirs", "both"])
def test_a_member_of_another_project_changes_nothing(neighbours: Neighbours, workspace: str) -> None:
    before = _everything(neighbours.anna, neighbours.made)
    done = []
    for name, (method, path, body) in WRITES.items():
        filled = _filled(path, neighbours.made, neighbours.own)
        answer = neighbours.bert.ask(
            method, filled, _filled(body, neighbours.made, neighbours.own), WORKSPACES[workspace]
        )
        if answer.status < 400 or answer.status >= 500:
            done.append((name, answer))
    assert not done
    assert _everything(neighbours.anna, neighbours.made) == before


def test_without_a_password_only_health_and_version_are_told(neighbours: Neighbours) -> None:
    uri = neighbours.bert.tracking_uri
    for name, path in READS.items():
        answer = Account(uri, None, "", "beta").ask("GET", _filled(path, neighbours.made, neighbours.own))
        assert answer.status == 401, name
    for stranger in (Account(uri, "bert", "wrong", "beta"), Account(uri, "nobody", "wrong", "beta")):
        assert stranger.ask("GET", f"{API}/experiments/search?max_results=1").status == 401
        assert stranger.ask("GET", "/metrics").status == 401
        assert stranger.ask("GET", "/health").status == 200
