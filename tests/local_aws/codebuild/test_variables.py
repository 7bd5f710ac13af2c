"""The environment of a build: who wins, what is secret, what CodeBuild adds, and what leaves the build."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest


def _spec(env: dict[str, Any], *commands: str) -> str:
    return json.dumps({"version": "0.2", "env": env, "phases": {"build": {"commands": list(commands)}}})


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"secrets-manager": {"S": "missing"}}, "Secrets Manager Error Message: ResourceNotFoundException"),
        ({"secrets-manager": {"S": "{secret}:nokey"}}, "has no|no JSON object with the key 'nokey'"),
        ({"secrets-manager": {"S": "{secret}:user:AWSPREVIOUS"}}, "Secrets Manager Error Message"),
        ({"parameter-store": {"P": "/missing"}}, "Parameter Store Error Message: ParameterNotFound"),
    ],
)
def test_a_secret_that_cannot_be_read_fails_before_any_command(builds: Any, env: dict[str, Any], said: str) -> None:
    secret = _secret(builds, {"user": "mlflow"})
    filled = json.loads(json.dumps(env).replace("{secret}", secret))

    built = builds.run(_spec(filled, "echo never"))

    assert built.status == "FAILED"
    assert "INSTALL" not in built.phases
    assert built.context("DOWNLOAD_SOURCE").startswith("CLIENT_ERROR: ")
    assert any(part in built.context("DOWNLOAD_SOURCE") for part in said.split("|"))


def test_a_secret_that_stands_everywhere_does_not_blacken_the_log(builds: Any) -> None:
    secret = _secret(builds, {"digit": "1"})
    spec = _spec({"secrets-manager": {"DIGIT": f"{secret}:digit"}}, "echo version 1.1 of $DIGIT")
    built = builds.ended(builds.start(builds.project({"buildspec.yml": spec})))
    assert built.said == ["version 1.1 of 1"]


def test_secrets_are_masked_in_the_log_and_in_no_file_of_it(builds: Any) -> None:
    secret = _secret(builds, {"user": "mlflow-admin", "password": "pass word-1"})
    parameter = f"/test/{uuid.uuid4().hex}"
    builds.cloud.client("ssm").put_parameter(Name=parameter, Value="from-the-store", Type="SecureString")
    env = {
        "secrets-manager": {"USER": f"{secret}:user", "WHOLE": secret},
        "parameter-store": {"PARAMETER": parameter},
        "exported-variables": ["PASSWORD", "LENGTH"],
    }

    project = builds.project(
        {"buildspec.yml": _spec(env, "echo $USER $PASSWORD $PARAMETER", "export LENGTH=${#PASSWORD}", "echo $WHOLE")},
        environment={
            "environmentVariables": [
                {"name": "PASSWORD", "type": "SECRETS_MANAGER", "value": f"{_arn(builds, secret)}:password:AWSCURRENT"}
            ]
        },
    )
    built = builds.ended(builds.start(project))

    assert built.said == ["*** *** ***", "***"]
    assert built.exported == {"LENGTH": "11"}
    identifier = built.body["id"].rpartition(":")[2]
    kept = (builds.cloud.home / "logs" / "codebuild" / f"{identifier}.log").read_text()
    assert "pass word-1" not in kept
    assert "pass word-1" not in json.dumps(built.body, default=str)


def test_a_value_given_to_the_build_wins_over_the_projects_and_that_over_the_buildspecs(builds: Any) -> None:
    project = builds.project(
        {"buildspec.yml": _spec({"variables": {"A": "spec", "B": "spec", "C": "$A {literal}"}}, 'echo "$A $B $C"')},
        environment={"environmentVariables": [{"name": "A", "value": "project"}, {"name": "B", "value": "project"}]},
    )

    built = builds.ended(builds.start(project, environmentVariablesOverride=[{"name": "A", "value": "start"}]))

    assert built.said == ["start project $A {literal}"]
    assert built.body["environment"]["environmentVariables"] == [
        {"name": "A", "value": "start", "type": "PLAINTEXT"},
        {"name": "B", "value": "project", "type": "PLAINTEXT"},
    ]


def test_codebuild_says_what_it_knows_of_the_build(builds: Any) -> None:
    project = builds.project(
        {"buildspec.yml": _spec({"variables": {"CODEBUILD_BUILD_ID": "mine"}}, "env | grep -E '^(CODEBUILD|AWS|CI=)'")}
    )
    built = builds.ended(builds.start(project))
    told = dict(line.split("=", 1) for line in built.said)

    assert told["CODEBUILD_BUILD_ID"] == built.body["id"]
    assert told["CODEBUILD_BUILD_ARN"] == built.body["arn"]
    assert told["CODEBUILD_BUILD_NUMBER"] == "1"
    assert told["CODEBUILD_INITIATOR"] == built.body["initiator"]
    assert told["CODEBUILD_BUILD_SUCCEEDING"] == "1"
    assert told["CODEBUILD_LOG_PATH"] == built.body["logs"]["streamName"]
    assert told["CODEBUILD_BUILD_IMAGE"] == "aws/codebuild/amazonlinux-x86_64-standard:5.0"
    assert int(told["CODEBUILD_START_TIME"]) == int(built.body["startTime"].timestamp() * 1000)
    assert told["AWS_ENDPOINT_URL"] == builds.cloud.endpoint_url
    assert told["AWS_REGION"] == told["AWS_DEFAULT_REGION"] == "us-east-1"
    assert told["CI"] == "true"


def test_the_callers_environment_stays_outside(make_cloud: Any, builds_of: Any) -> None:
    builds = builds_of(make_cloud(CALLERS_OWN="secret", AWS_ROLE_SESSION_NAME="theirs", PYTHONDONTWRITEBYTECODE="1"))

    built = builds.commands("echo ${CALLERS_OWN:-none} ${AWS_ROLE_SESSION_NAME:-none} ${PYTHONDONTWRITEBYTECODE:-none}")

    assert built.said == ["none none none"]


def test_exported_variables_are_those_after_post_build(builds: Any) -> None:
    spec = {
        "version": "0.2",
        "env": {"exported-variables": ["A", "PLAN", "UNSET"], "variables": {"A": "before"}},
        "phases": {"build": {"commands": ["export A=1"]}, "post_build": {"commands": ["export A=2 PLAN='two\nlines'"]}},
    }

    built = builds.run(json.dumps(spec))

    assert built.exported == {"A": "2", "PLAN": "two\nlines"}
    assert "UNSET is not set" in built.log


def test_a_build_acts_as_the_projects_role_and_no_other(builds: Any) -> None:
    role = builds.role()
    built = builds.run(
        _spec({}, "python -c \"import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])\""),
        serviceRole=role,
    )

    assert f"assumed-role/{role.rpartition('/')[2]}/AWSCodeBuild-" in built.said[0]


def test_what_the_role_may_not_do_is_denied(builds: Any) -> None:
    statement = {"Effect": "Allow", "Action": ["logs:*", "s3:GetObject"], "Resource": "*"}
    role = builds.role({"Version": "2012-10-17", "Statement": [statement]})
    script = 'import boto3; boto3.client("s3").put_object(Bucket="x", Key="y")'

    built = builds.run(_spec({}, f"python -c '{script}' 2>&1 | tail -n 1; false"), serviceRole=role)

    assert "AccessDenied" in built.said[0]
    assert "s3:PutObject" in built.said[0]


def test_a_role_that_may_not_read_the_source_or_write_the_log_is_told_so(builds: Any) -> None:
    def role(action: str) -> str:
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        return str(builds.role({"Version": "2012-10-17", "Statement": [statement]}))

    silent = builds.run(_spec({}, "true"), serviceRole=role("s3:*"))
    blind = builds.run(_spec({}, "true"), serviceRole=role("logs:*"))

    assert "ACCESS_DENIED: Service role does not allow" in silent.context("PROVISIONING")
    assert "CLIENT_ERROR: " in blind.context("DOWNLOAD_SOURCE")
    assert "s3:GetObject" in blind.context("DOWNLOAD_SOURCE")


def _secret(builds: Any, content: dict[str, str]) -> str:
    name = f"secret-{uuid.uuid4().hex[:8]}"
    builds.cloud.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(content))
    return name


def _arn(builds: Any, name: str) -> str:
    return str(builds.cloud.client("secretsmanager").describe_secret(SecretId=name)["ARN"])
