"""A team's account: the stack of its CI/CD, deployed by the command that also deploys it on AWS."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = "sagemaker-mlflow"
STACK = f"{PROJECT}-cicd"
REPOSITORY = f"rehearsal/{PROJECT}"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
EXPERIMENT = "iris"


class NotDeployed(Exception):
    """A stack that could not be deployed; what it was about is printed already."""


@dataclass(frozen=True)
class Account:
    """The account as the commands of the rooms are told of it: environment variables, and nothing else."""

    environment: dict[str, str]
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, cloud: str, mlflow: str) -> Account:
        """The account of a local cloud at this address."""
        return cls(
            {
                "AWS_ENDPOINT_URL": cloud,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "rehearsal",
                "AWS_SECRET_ACCESS_KEY": "rehearsal",
                "MLFLOW_TRACKING_URI": mlflow,
                "MLFLOW_EXPERIMENT_NAME": EXPERIMENT,
            }
        )

    @property
    def git_remote(self) -> str:
        """Where the team's repository is pushed to."""
        return f"{self.environment['AWS_ENDPOINT_URL']}/git/{REPOSITORY}"

    @property
    def build_pipeline(self) -> str:
        return f"{PROJECT}-model-build"

    @property
    def deploy_pipeline(self) -> str:
        return f"{PROJECT}-model-deploy"

    def client(self, service: str) -> Any:
        """The account's boto3 client of a service: making one takes longer than ten calls with it."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.environment["AWS_ENDPOINT_URL"],
                region_name=self.environment["AWS_DEFAULT_REGION"],
                aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def outputs(self) -> dict[str, str]:
        """What the stack says of itself."""
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def deploy_stack(account: Account, home: Path, say: Callable[[str], None]) -> None:
    """`python -m cicd deploy`, and then what a person does in the console: finish the connection to the repository.

    Raises `NotDeployed`.
    """
    parameters = home / "cicd-parameters.yaml"
    parameters.write_text(
        yaml.safe_dump(
            {
                "project_name": PROJECT,
                "stack": STACK,
                "repository": REPOSITORY,
                "mlflow_tracking_uri": account.environment["MLFLOW_TRACKING_URI"],
                "mlflow_experiment_name": EXPERIMENT,
                "serving_python": PYTHON,
            },
            sort_keys=False,
        )
    )
    command = [sys.executable, "-m", "cicd", "deploy", "--yes", "--parameters", str(parameters.resolve())]
    deployed = subprocess.Popen(
        command,
        env={**os.environ, **account.environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert deployed.stdout is not None  # noqa: S101 - it was started with a pipe
    for line in deployed.stdout:
        say(line.rstrip())
    if deployed.wait() != 0:
        raise NotDeployed(f"python -m cicd deploy ended with exit code {deployed.returncode}: see what it says above.")
    _finish_connections(account, say)


def _finish_connections(account: Account, say: Callable[[str], None]) -> None:
    for connection in account.client("codeconnections").list_connections()["Connections"]:
        if connection["ConnectionStatus"] == "PENDING":
            name = connection["ConnectionArn"].rpartition("/")[2]
            address = f"{account.environment['AWS_ENDPOINT_URL']}/_local/connections/{name}/finish"
            with urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=10):  # noqa: S310
                say(f"The connection {connection['ConnectionName']} is finished, as a person does it in the console.")


def hand_tools(account: Account, home: Path) -> dict[str, str]:
    """What a shell needs besides, to run model_build and model_deploy by hand: the stack's outputs, and the image."""
    outputs = account.outputs()
    return {
        "ARTIFACT_BUCKET": outputs["ArtifactBucket"],
        "JOB_ROLE_ARN": outputs["JobRoleArn"],
        "ENDPOINT_ROLE_ARN": outputs["EndpointRoleArn"],
        "SERVING_IMAGE": _build_serving_image(outputs["ServingRepositoryUri"], home),
    }


def _build_serving_image(repository: str, home: Path) -> str:
    """The URI of the serving image, which is built if it is not there; its tag says what is in it."""
    serving = ROOT / "model-deploy" / "serving"
    named = [sys.executable, "-m", "model_deploy", "image", "--repository", repository, "--python", PYTHON]
    uri = subprocess.run(named, capture_output=True, text=True, check=True).stdout.strip()
    build = ["build-image", "--home", str(home), "--tag", uri, "--build-arg", f"PYTHON_VERSION={PYTHON}", str(serving)]
    subprocess.run([sys.executable, "-m", "local_aws", *build], stdout=subprocess.DEVNULL, check=True)
    return uri
