"""`python -m model_build` before it starts anything: what it refuses, in one sentence and without a traceback."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from model_build.__main__ import main

GIVEN = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "MLFLOW_TRACKING_URI": "http://mlflow.internal:5000",
    "ARTIFACT_BUCKET": "artifacts",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/model-build",
}
MANAGED = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/app-0a1b2c"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-AbCdEf"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command in this process, with only these variables of what it reads."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "MODEL_NAME", "SOURCE_COMMIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    def invoke(*arguments: str, **changed: str | None) -> Any:
        return CliRunner().invoke(main, list(arguments), env={**GIVEN, **changed})

    return invoke


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trials", "0"], "search.trials"),
        (["--parallel", "many"], "is not a valid integer"),
        (["--max-depth", "5:2"], "the range 5:2 is empty"),
        (["--max-depth", "5"], "written low:high"),
        (["--max-leaf-nodes", "1:4"], "at least 2 leaf nodes"),
        (["--strategy", "Guess"], "search.strategy"),
        (["--register", "none"], "register_policy"),
        (["--data", "titanic"], "neither one of iris, wine, breast_cancer nor an s3:// location"),
        (["--model-name", "my model"], "--model-name (MODEL_NAME)"),
        (["--bucket", "My_Bucket"], "--bucket (ARTIFACT_BUCKET)"),
        (["--role-arn", "admin"], "--role-arn (EXECUTION_ROLE_ARN)"),
        (["--train-instance-type", "m5.large"], "platform.train_instance_type"),
        (["--tracking-uri", "http://me:secret@mlflow.internal"], "carries credentials"),
        (["--tracking-uri", "mlflow.internal"], "neither http(s)://HOST nor an ARN of a managed MLflow"),
        (["--tracking-uri", "http:///mlflow"], "neither http(s)://HOST nor"),
        (["--tracking-uri", "arn:aws:s3:::mlflow"], "mlflow-tracking-server/NAME or ...:mlflow-app/NAME"),
        (["--tracking-uri", MANAGED, "--mlflow-secret", SECRET], "lets the jobs in by their role: leave"),
        (["--seed", "-1"], "seed"),
        (["--epochs", "3"], "No such option"),
        (["--gate", "accuracy >>"], "The gate's bound 'accuracy >>'"),
        (["--gate", "nope > 0.5"], "nope"),
        (["--gate", "missing.yaml"], "missing.yaml is not among the training code"),
        (["--target", "y"], "for data in S3 only"),
        (
            ["--subnets", "subnet-1"],
            "--subnets (SUBNETS) and --security-groups (SECURITY_GROUPS): subnets and security",
        ),
        (["--security-groups", "sg-1"], "give both, or neither"),
        (["--subnets", "vpc-1", "--security-groups", "sg-1"], "--subnets (SUBNETS): String should match"),
        (["--mlflow-secret", "mlflow"], "--mlflow-secret (MLFLOW_SECRET_ARN)"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(run: Callable[..., Any], arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert says in result.output
    assert "Traceback" not in result.output


def test_a_secret_in_the_tracking_uri_is_not_repeated(run: Callable[..., Any]) -> None:
    assert "secret" not in run("--tracking-uri", "http://me:secret@mlflow.internal").output


@pytest.mark.parametrize("missing", ["MLFLOW_TRACKING_URI", "ARTIFACT_BUCKET", "EXECUTION_ROLE_ARN"])
def test_a_missing_setting_says_which_variable_gives_it(run: Callable[..., Any], missing: str) -> None:
    result = run(**{missing: None})
    assert result.exit_code != 0
    assert missing in result.output


def test_a_missing_region_is_said(run: Callable[..., Any]) -> None:
    assert "No AWS region is set" in run(AWS_DEFAULT_REGION=None).output


def test_a_server_that_refuses_is_reported_before_anything_is_started(
    run: Callable[..., Any], answering: Callable[[int], str]
) -> None:
    uri = answering(401)
    result = run(MLFLOW_TRACKING_URI=uri, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert f"The MLflow server at {uri} answered 401" in result.output


def test_a_server_that_is_down_is_reported_before_anything_is_started(run: Callable[..., Any]) -> None:
    began = time.monotonic()
    result = run(MLFLOW_TRACKING_URI="http://127.0.0.1:9", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "The MLflow server at http://127.0.0.1:9 cannot be reached" in result.output
    assert time.monotonic() - began < 60


def test_help_is_quick_because_the_sdk_is_not_imported() -> None:
    code = "import sys, model_build.__main__; print(sorted({'sagemaker', 'mlflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
