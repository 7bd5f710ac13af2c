"""The job's account on the MLflow server: which secrets are refused, and that nothing of one is ever shown."""

import json
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow_account
import pytest
from failure import TrainingError
from mlflow_account import take_account

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mlflow-AbCdEf"
PASSWORD = "correct-horse-battery"


@pytest.fixture
def in_cloud(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Keep a secret in the cloud that this process sees; returns its ARN."""
    for name, value in cloud.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)

    def keep(text: str) -> str:
        made = cloud.client("secretsmanager").create_secret(Name=f"mlflow-{uuid.uuid4().hex[:8]}", SecretString=text)
        return str(made["ARN"])

    return keep


def test_an_arn_of_something_else_is_refused() -> None:
    with pytest.raises(TrainingError, match="not the ARN of a secret"):
        take_account({"MLFLOW_SECRET_ARN": "arn:aws:ssm:us-east-1:123456789012:parameter/mlflow"})


def test_a_secret_that_is_not_there_is_named(in_cloud: Callable[[str], str]) -> None:
    with pytest.raises(TrainingError, match=f"There is no secret {ARN}"):
        take_account({"MLFLOW_SECRET_ARN": ARN})


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD,
        json.dumps([PASSWORD]),
        json.dumps({"user": "me", "password": PASSWORD}),
        json.dumps({"username": "", "password": PASSWORD}),
        json.dumps({"username": "me", "password": [PASSWORD]}),
    ],
)
def test_a_secret_of_another_form_is_refused_and_not_repeated(in_cloud: Callable[[str], str], text: str) -> None:
    arn = in_cloud(text)
    with pytest.raises(TrainingError) as refused:
        take_account({"MLFLOW_SECRET_ARN": arn})
    assert f"The secret {arn} is not of the form" in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_role_that_may_not_read_it_is_told_what_it_lacks(
    in_cloud: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ClientError

    class Refusing:
        def get_secret_value(self, **_: Any) -> None:
            message = "User: arn:aws:sts::123456789012:assumed-role/jobs/SageMaker is not authorized to perform: this"
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetSecretValue")

    monkeypatch.setattr("boto3.client", lambda *_, **__: Refusing())
    with pytest.raises(TrainingError, match=r"role may not read the secret .*assumed-role/jobs.*GetSecretValue"):
        take_account({"MLFLOW_SECRET_ARN": ARN})


def test_a_network_without_a_way_to_secrets_manager_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_account, "_CONNECT_SECONDS", 1)
    monkeypatch.setattr(mlflow_account, "_ATTEMPTS", 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TrainingError, match="cannot be asked for the secret"):
            take_account({"MLFLOW_SECRET_ARN": ARN})


def test_without_a_secret_nothing_is_set_and_nobody_asked() -> None:
    environment: dict[str, str] = {}
    take_account(environment)
    assert environment == {}


def test_the_account_is_what_the_secret_says(in_cloud: Callable[[str], str]) -> None:
    environment = {"MLFLOW_SECRET_ARN": in_cloud(json.dumps({"username": "jobs", "password": PASSWORD}))}
    take_account(environment)
    assert environment["MLFLOW_TRACKING_USERNAME"] == "jobs"
    assert environment["MLFLOW_TRACKING_PASSWORD"] == PASSWORD


def test_a_job_without_its_secret_leaves_the_reason_where_sagemaker_reads_it(cloud: Any, train: Any) -> None:
    variables = {name: value for name, value in cloud.environment.items() if name.startswith("AWS_")}
    job = train({**variables, "MLFLOW_SECRET_ARN": ARN}, tracking_uri="http://127.0.0.1:9")
    assert job.code == 1
    assert job.failure.startswith(f"There is no secret {ARN}")
    assert "Traceback" not in job.output


def test_a_job_logs_in_with_the_secrets_account_and_prints_none_of_it(
    in_cloud: Callable[[str], str], cloud: Any, train: Any, answering: Callable[[int], str]
) -> None:
    arn = in_cloud(json.dumps({"username": "jobs", "password": PASSWORD}))
    variables = {name: value for name, value in cloud.environment.items() if name.startswith("AWS_")}
    job = train({**variables, "MLFLOW_SECRET_ARN": arn}, tracking_uri=answering(401))
    assert "answered 401: it refuses this job's credentials" in job.failure
    assert PASSWORD not in job.output + job.failure


def test_the_import_of_boto3_is_left_to_jobs_that_have_a_secret() -> None:
    folder = Path(mlflow_account.__file__).parent
    code = "import sys, mlflow_account; print('boto3' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert ran.stdout == "False\n"
