"""What a run is asked for: the options and environment variables as they came, and what is made of them once checked.
Checking asks nobody: what is wrong with the order itself is told before anything else is looked at."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from model_deploy.deployment import Ground
from model_deploy.errors import DeploymentError
from model_deploy.image import ServingEnvironment, read_image_tag
from model_deploy.pin import Pin, parse_pin
from model_deploy.stage import Stage, read_stage
from model_deploy.tracking_address import checked_address

HOME = Path(__file__).parents[1]
SERVING = HOME / "serving"


@dataclass(frozen=True)
class Order:
    """What was asked for, as the arguments and the environment say it; nothing is checked yet."""

    model_name: str | None
    model_version: str | None
    tracking_uri: str | None
    bucket: str | None
    role_arn: str | None
    image: str | None
    commit: str | None
    stages: Path
    approve: bool

    def checked(self, stages: tuple[str, ...]) -> "Request":
        """The order for these stages, every part of it there and readable.

        Raises:
            DeploymentError: a part is missing or wrong; the message names where it is set.
        """
        return Request(
            pin=parse_pin(self.model_name, self.model_version),
            stages={name: read_stage(self.stages / f"{name}.yaml") for name in stages},
            ground=Ground(
                bucket=required("ARTIFACT_BUCKET", self.bucket, "the S3 bucket for model packages"),
                role_arn=required("EXECUTION_ROLE_ARN", self.role_arn, "the role of the endpoint"),
                image=(self.image or "").strip(),
            ),
            tracking_uri=self.tracking_address(),
            serving=read_image_tag(self.image),
            template=(HOME / "endpoint.yaml").read_text(encoding="utf-8"),
        )

    def tracking_address(self) -> str:
        """Where the MLflow server is. Raises DeploymentError where nothing, or no address, was given."""
        given = required("MLFLOW_TRACKING_URI", self.tracking_uri, "the address of the MLflow server")
        return checked_address(given)


@dataclass(frozen=True)
class Request:
    """A checked order: the pin, the stages by name, and what their deployments stand on."""

    pin: Pin
    stages: dict[str, Stage]
    ground: Ground
    tracking_uri: str
    serving: ServingEnvironment
    template: str


def required(variable: str, value: str | None, meaning: str) -> str:
    """The value of a variable without the spaces around it. Raises DeploymentError where there is none."""
    if not value or not value.strip():
        raise DeploymentError(f"{variable} is not set: set it to {meaning}.")
    return value.strip()


def head_commit() -> str:
    """The commit that this repository is at; `unknown` outside of one."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HOME, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else "unknown"


def be_brief_with_mlflow() -> None:
    """Settings that MLflow's client reads when it is imported and at each request, where nobody has set others.

    A server that is down is to be found out within a minute, not within the ten minutes of MLflow's own patience.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
