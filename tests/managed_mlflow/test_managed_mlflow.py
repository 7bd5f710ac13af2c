"""SageMaker's managed MLflow from training to release: an ARN for an address, and every request signed."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
import urllib3
from model_build.errors import BuildError
from model_build.results import check_server, read_results
from model_deploy.errors import DeploymentError
from model_deploy.pin import Pin
from model_deploy.registry import Registry

SOURCE = Path(__file__).resolve().parents[2] / "model-build" / "source"
KINDS = pytest.mark.parametrize("kind", ["mlflow-tracking-server", "mlflow-app"])
PERMISSIONS = {"mlflow-tracking-server": "sagemaker-mlflow:*", "mlflow-app": "sagemaker:CallMlflowAppApi"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("prepared")
    subprocess.run([sys.executable, SOURCE / "prepare.py", "--base", base], check=True)
    return base / "processing"


def train(prepared: Path, folder: Path, arn: str, name: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Run train.py as script mode does; its exit code, what it printed, and the reason it left for the platform."""
    channels = {f"SM_CHANNEL_{split.upper()}": str(prepared / split) for split in ("train", "validation", "test")}
    told = {"--tracking-uri": arn, "--experiment": name, "--model-name": name, "--max-leaf-nodes": "4"}
    done = subprocess.run(
        [sys.executable, SOURCE / "train.py", *(word for pair in told.items() for word in pair)],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
            **channels,
            **environment,
            "SM_MODEL_DIR": str(folder / "model"),
            "SM_OUTPUT_DIR": str(folder / "output"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    failure = folder / "output" / "failure"
    return done.returncode, done.stdout + done.stderr, failure.read_text() if failure.exists() else ""


@KINDS
def test_a_request_that_is_not_signed_is_not_let_in(managed: Callable[[str], Any], kind: str) -> None:
    endpoint = managed(kind).environment["SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"]
    answer = urllib3.request("GET", f"{endpoint}/api/2.0/mlflow/experiments/get-by-name?experiment_name=x")
    assert (answer.status, answer.json()["message"]) == (403, "the request is not signed")


@KINDS
def test_credentials_that_are_refused_are_told_with_the_permission_they_lack(
    managed: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    server = managed(kind)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(BuildError, match="answered 403: it refuses these AWS credentials") as built:
        check_server(server.arn)
    with pytest.raises(DeploymentError, match="refuses these AWS credentials and would not look up") as deployed:
        Registry(server.arn).resolve(Pin("iris", "1"))
    for error in (built.value, deployed.value):
        assert f"llow them {PERMISSIONS[kind]} on it" in str(error)
    assert server.let_in == []


def test_a_job_that_is_refused_says_which_permission_its_role_lacks(
    managed: Callable[[str], Any], prepared: Path, tmp_path: Path
) -> None:
    server = managed("mlflow-tracking-server")
    refused = {**server.environment, "AWS_SECRET_ACCESS_KEY": "another"}
    code, output, failure = train(prepared, tmp_path, server.arn, "refused", refused)
    assert code == 1
    assert failure.startswith(f"The managed MLflow {server.arn} answered 403: it refuses this job's role. Allow")
    assert "Traceback" not in output


@KINDS
def test_a_request_that_is_signed_for_its_kind_of_server_is_let_in(managed: Callable[[str], Any], kind: str) -> None:
    server = managed(kind)
    check_server(server.arn)
    with pytest.raises(DeploymentError, match="has no model 'nobody-made-it'"):
        Registry(server.arn).resolve(Pin("nobody-made-it", "1"))
    assert "GET /api/2.0/mlflow/model-versions/get" in server.let_in


def test_a_model_is_trained_registered_and_released_by_signed_requests(
    managed: Callable[[str], Any],
    own_experiment: Callable[[str], str],
    prepared: Path,
    cloud: Any,
    mlflow_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    server, name = managed("mlflow-tracking-server"), f"managed-{uuid.uuid4().hex[:8]}"
    bucket = own_experiment(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint_url)

    environment = {**server.environment, "AWS_ENDPOINT_URL": cloud.endpoint_url}
    code, output, failure = train(prepared, tmp_path, server.arn, name, environment)
    assert (code, failure) == (0, ""), output
    assert f"registered as {name} version 1" in output
    assert "WARNING" not in output
    assert "POST /api/2.0/mlflow/runs/create" in server.let_in
    kept = cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert any(item["Key"].endswith("/MLmodel") for item in kept)

    results = read_results(server.arn, name, name, ())
    assert results.model_url == "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/mlflow"

    registry = Registry(server.arn)
    version = registry.resolve(Pin(name, "1"))
    assert version.tier == "gold"
    assert registry.metrics(version)["accuracy"] > 0.9
    downloaded = registry.download(version, tmp_path / "release")
    assert "skops" in (downloaded / "MLmodel").read_text()
    registry.record(version, "staging", {"deployed": "yes"})
    found = mlflow.MlflowClient(mlflow_uri).get_model_version_by_alias(name, "staging")
    assert (found.version, found.tags["deployed"]) == ("1", "yes")
