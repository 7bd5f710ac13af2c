"""What a team's account has before the first push: the foundation stack and the serving image.

On AWS the same stack is deployed by the same calls, and the image is built by Docker.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[1]
STACK = "foundation"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Account:
    """The account as the commands of the rooms are told of it: environment variables, and nothing else."""

    environment: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client of the account."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )


def prepare(cloud: str, mlflow: str, home: Path) -> Account:
    """Deploy the foundation stack and build the serving image, where they are not there already."""
    access = {
        "AWS_ENDPOINT_URL": cloud,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
    }
    outputs = _deploy_foundation(Account(access).client("cloudformation"))
    image = _build_serving_image(outputs["ServingRepositoryUri"], home)
    return Account(
        {
            **access,
            "MLFLOW_TRACKING_URI": mlflow,
            "ARTIFACT_BUCKET": outputs["ArtifactBucket"],
            "SERVING_IMAGE": image,
            "JOB_ROLE_ARN": outputs["JobRoleArn"],
            "ENDPOINT_ROLE_ARN": outputs["EndpointRoleArn"],
        }
    )


def _deploy_foundation(cloudformation: Any) -> dict[str, str]:
    request = {
        "StackName": STACK,
        "TemplateBody": (ROOT / "cicd" / "foundation.yaml").read_text(),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    try:
        cloudformation.describe_stacks(StackName=STACK)
    except cloudformation.exceptions.ClientError:
        cloudformation.create_stack(**request)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    else:
        _update(cloudformation, request)
    described = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def _update(cloudformation: Any, request: dict[str, Any]) -> None:
    try:
        cloudformation.update_stack(**request)
    except cloudformation.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    else:
        cloudformation.get_waiter("stack_update_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


def _build_serving_image(repository: str, home: Path) -> str:
    """The URI of the serving image, which is built if it is not there; its tag says what is in it."""
    serving = ROOT / "model-deploy" / "serving"
    named = [sys.executable, "-m", "model_deploy", "image", "--repository", repository, "--python", PYTHON]
    uri = subprocess.run(named, capture_output=True, text=True, check=True).stdout.strip()
    build = ["build-image", "--home", str(home), "--tag", uri, "--build-arg", f"PYTHON_VERSION={PYTHON}", str(serving)]
    subprocess.run([sys.executable, "-m", "local_aws", *build], stdout=subprocess.DEVNULL, check=True)
    return uri
