"""Files of another project: no path, source or tag of one's own leads to them."""

from __future__ import annotations

import pytest

from .conftest import ATTACHMENT, MARK, Neighbours

API, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
FILES, AJAX_FILES = "/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"


@pytest.mark.parametrize(
    "climb",
    [
        "{own}/../{experiment}",
        "{own}/../../alpha/{experiment}",
        "{own}/%2e%2e/{experiment}",
        "{own}/%2e%2e/%2e%2e/alpha/{experiment}",
        "{own}/%252e%252e/%252e%252e/alpha/{experiment}",
        "{own}/..%2f..%2falpha%2f{experiment}",
        "{own}%2f..%2f..%2falpha%2f{experiment}",
        "{own}/..%5c..%5calpha%5c{experiment}",
        "workspaces/beta/../alpha/{experiment}",
        "workspaces/beta/%2e%2e/alpha/{experiment}",
        "workspaces/beta%2f..%2falpha/{experiment}",
        "workspaces//alpha/{experiment}",
        "./workspaces/alpha/{experiment}",
        "/workspaces/alpha/{experiment}",
        "%2fworkspaces/alpha/{experiment}",
        "workspaces%2falpha/{experiment}",
        "workspaces%252falpha/{experiment}",
        "file:///{experiment}",
        "s3://mlflow/artifacts/workspaces/alpha/{experiment}",
        "mlflow-artifacts:/workspaces/alpha/{experiment}",
    ],
)
def test_no_path_climbs_out_of_a_project(neighbours: Neighbours, climb: str) -> None:
    made, own = neighbours.made, neighbours.own
    path = climb.replace("{own}", own.experiment).replace("{experiment}", made.experiment)
    path = f"{path}/{made.run}/artifacts"
    doors = [
        ("GET", f"{FILES}/artifacts/{path}/s.txt", None),
        ("GET", f"{AJAX_FILES}/artifacts/{path}/s.txt", None),
        ("GET", f"{FILES}/artifacts?path={path}", None),
        ("GET", f"{FILES}/presigned/{path}/s.txt", None),
        ("GET", f"/get-artifact?run_id={own.run}&path={path}/s.txt", None),
        ("GET", f"/get-artifact?run_id={own.run}&path=../../../{path}/s.txt", None),
        ("GET", f"{API}/artifacts/list?run_id={own.run}&path={path}", None),
        ("GET", f"/model-versions/get-artifact?name={own.registered}&version=1&path={path}/s.txt", None),
        (
            "GET",
            f"/ajax-api/2.0/mlflow/logged-models/{own.model}/artifacts/files?artifact_file_path={path}/s.txt",
            None,
        ),
        ("GET", f"{API}/logged-models/{own.model}/artifacts/directories?artifact_directory_path={path}", None),
        ("GET", f"/ajax-api/3.0/mlflow/get-trace-artifact?request_id={own.trace}&path={path}/s.txt", None),
        ("PUT", f"{FILES}/artifacts/{path}/s.txt", b"changed"),
        ("DELETE", f"{FILES}/artifacts/{path}/s.txt", None),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={own.run}&path={path}/s.txt", b"changed"),
    ]
    for method, door, body in doors:
        answer = neighbours.bert.ask(method, door, body)
        assert MARK not in answer.text, door
        assert '"s.txt"' not in answer.text, door
    assert MARK in neighbours.anna.ask("GET", f"/get-artifact?run_id={made.run}&path=s.txt").text


@pytest.mark.parametrize(
    "place",
    [
        "s3://mlflow/artifacts/workspaces/alpha/{files}",
        "s3://mlflow/artifacts/workspaces/beta/../alpha/{files}",
        "s3://mlflow/artifacts/workspaces/beta/%2e%2e/alpha/{files}",
        "S3://mlflow/artifacts/workspaces/alpha/{files}",
        "s3://mlflow//artifacts/workspaces/alpha/{files}",
        "s3://mlflow/artifacts",
        "s3://mlflow",
        "mlflow-artifacts:/workspaces/alpha/{files}",
        "mlflow-artifacts:/workspaces/beta/../alpha/{files}",
        "mlflow-artifacts://127.0.0.1:1/workspaces/alpha/{files}",
        "{own}/../../../alpha/{files}",
        "runs:/{run}/",
        "runs:/{ownrun}/../../{run}/artifacts",
        "models:/{model}",
        "models:/{registered}/1",
        "file:///etc",
        "/etc",
        "http://127.0.0.1:1/",
        "https://169.254.169.254/latest",
    ],
)
def test_no_model_version_is_made_of_somebody_elses_files(neighbours: Neighbours, place: str) -> None:
    made, own = neighbours.made, neighbours.own
    source = place.replace("{files}", f"{made.experiment}/{made.run}/artifacts").replace("{own}", own.location)
    source = source.replace("{ownrun}", own.run).replace("{run}", made.run)
    source = source.replace("{model}", made.model).replace("{registered}", made.registered)
    for lineage in ({}, {"run_id": own.run}, {"runId": own.run}, {"run_id": made.run}, {"model_id": made.model}):
        body = {"name": own.registered, "source": source, **lineage}
        answer = neighbours.bert.ask("POST", f"{API}/model-versions/create", body)
        assert answer.status in (400, 403, 404), (lineage, answer)


def test_a_trace_is_not_read_from_where_its_tag_points(neighbours: Neighbours) -> None:
    made, own = neighbours.made, neighbours.own
    there = f"{made.experiment}/{made.run}/artifacts"
    for place in (
        f"mlflow-artifacts:/workspaces/alpha/{there}",
        f"s3://mlflow/artifacts/workspaces/alpha/{there}",
        f"{own.location}/../../../../alpha/{there}",
        "file:///etc",
    ):
        tag = {"key": "mlflow.artifactLocation", "value": place}
        neighbours.bert.ask("PATCH", f"{V3}/traces/{own.trace}/tags", tag)
        for path in ("", f"&path={ATTACHMENT}"):
            for door in ("/ajax-api/2.0/mlflow/get-trace-artifact", "/ajax-api/3.0/mlflow/get-trace-artifact"):
                answer = neighbours.bert.ask("GET", f"{door}?request_id={own.trace}{path}")
                assert answer.status == 403, (place, answer)
                assert "outside its experiment" in answer.text
