"""The command line: what it refuses before it asks anyone, and what it prints without a cloud."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from model_deploy.__main__ import main

PIN = {
    "MODEL_NAME": "iris",
    "MODEL_VERSION": "1",
    "ARTIFACT_BUCKET": "artifacts",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoint",
    "SERVING_IMAGE": "repository:py3.12-sklearn1.9.0-0123456789ab",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command in this process; an error that is not told in a sentence fails the test."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in [name for name in os.environ if name.startswith(("AWS_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    given = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1"}

    def invoke(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, arguments, env={**given, **environment}, catch_exceptions=False)

    return invoke


def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    # Whatever the shell of the tests says of AWS and MLflow is not what these tests say.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_"))}
    return subprocess.run(
        [sys.executable, "-m", "model_deploy", *arguments],
        env={**own, "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"MODEL_NAME": ""}, "MODEL_NAME is empty"),
        ({"MODEL_VERSION": "two!"}, "'two!', which is neither a version's number"),
        ({"ARTIFACT_BUCKET": ""}, "ARTIFACT_BUCKET is not set"),
        ({"MLFLOW_TRACKING_URI": ""}, "MLFLOW_TRACKING_URI is not set"),
        ({"MLFLOW_TRACKING_URI": "mlflow.internal:5000"}, "which is no address of an MLflow server"),
        ({"MLFLOW_TRACKING_URI": "arn:aws:s3:::mlflow"}, "or the ARN of a managed MLflow"),
        ({"SERVING_IMAGE": "repository:latest"}, "the tag 'latest' does not say which Python"),
        ({}, "The tracking server at http://127.0.0.1:9 could not look up iris version 1"),
    ],
)
def test_what_cannot_go_on_is_one_plain_sentence_and_a_failure(
    refused: Callable[..., Result], change: dict[str, str], says: str
) -> None:
    ran = refused(**{**PIN, **change})
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: ")
    assert says in ran.stderr


def test_a_shell_without_aws_credentials_is_told_so(tmp_path: Path) -> None:
    nowhere = {name: str(tmp_path / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    ran = run("invoke", "--endpoint", "iris-staging", "--row", "1,2", **nowhere)
    assert ran.returncode == 1
    assert "Unable to locate credentials" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "There is nothing to predict"),
        (["--row", " "], "There is nothing to predict"),
        (["--row", "1", "--csv", "rows.csv"], "Both --row and --csv"),
        (["--csv", "missing.csv"], "missing.csv cannot be read as CSV"),
        (["--csv", os.devnull], "is empty"),
    ],
)
def test_an_invocation_without_rows_is_refused(refused: Callable[..., Result], arguments: list[str], says: str) -> None:
    ran = refused("invoke", "--endpoint", "iris-staging", *arguments)
    assert ran.exit_code == 1
    assert says in ran.stderr


def test_an_unknown_option_is_refused() -> None:
    assert "No such option" in run("--aprove").stderr


def test_image_prints_the_uri_that_serving_has_now() -> None:
    ran: Any = run("image", "--repository", "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving", "--python", "3.12")
    assert ran.returncode == 0
    assert re.fullmatch(
        r"123456789012\.dkr\.ecr\.us-east-1\.amazonaws\.com/serving:py3\.12-sklearn\d+\.\d+\.\d+-[0-9a-f]{12}\n",
        ran.stdout,
    )
