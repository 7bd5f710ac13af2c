"""What a CodeBuild task costs beyond its commands: from StartBuild to the end of a build that does nothing."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from benchmarks.cloud import server
from benchmarks.results import Comparison, median

ROUNDS = 7
LIMIT_SECONDS = 1.0
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - 'true'\n"


def measure(console: Console) -> list[Comparison]:
    """Run the empty build several times, the first one apart, as it makes the environment."""
    with tempfile.TemporaryDirectory() as folder, server("local_aws", Path(folder)) as (address, _):
        codebuild = _client("codebuild", address)
        codebuild.create_project(
            name="nothing",
            source={"type": "NO_SOURCE", "buildspec": BUILDSPEC},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=_role(_client("iam", address)),
        )
        seconds = [_build(codebuild) for _ in range(ROUNDS + 1)]
    console.print(f"  first {seconds[0]:.2f} s, then " + ", ".join(f"{figure:.2f}" for figure in seconds[1:]) + " s")
    overhead = median(seconds[1:])
    return [Comparison("CodeBuild task beyond its commands", "s", overhead, LIMIT_SECONDS, "the limit", "lower", 1)]


def _build(codebuild: Any) -> float:
    began = time.perf_counter()
    build = codebuild.start_build(projectName="nothing")["build"]
    while not build["buildComplete"]:
        time.sleep(0.01)
        build = codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]
    if build["buildStatus"] != "SUCCEEDED":
        raise RuntimeError(f"the empty build is {build['buildStatus']}: {build['phases']}")
    return time.perf_counter() - began


def _role(iam: Any) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}],
    }
    role = iam.create_role(RoleName="nothing", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName="nothing", PolicyName="logs", PolicyDocument=json.dumps(allowed))
    return str(role["Arn"])


def _client(service: str, address: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - nothing is guarded by it
    )
