"""The CI/CD stack of a team, deployed into a local cloud by the command a team uses."""

from __future__ import annotations

import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from .in_process import invoked

ROOT = Path(__file__).parents[2]

MANAGED_MLFLOW = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-0a1b2c"
NETWORK = {
    "vpc_id": "vpc-0a1b2c3d",
    "subnet_ids": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
    "security_group_ids": "sg-0a1b2c3d",
}


@dataclass
class Team:
    """A project of its own in one cloud, and the command run for it."""

    cloud: Any
    file: Path
    project: str

    @property
    def stack(self) -> str:
        return f"{self.project}-cicd"

    def write(self, **changes: Any) -> None:
        """Write the parameters file; None leaves a key out."""
        values = {
            "project_name": self.project,
            "repository": "team/models",
            "mlflow_tracking_uri": "http://mlflow.internal:5000",
            **changes,
        }
        self.file.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as `python -m cicd` does, with nobody to ask, in this process: loading it takes longer."""
        return invoked(words[0], "--parameters", str(self.file), *words[1:], environment=self.cloud.environment)

    def process(self, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        """Run `python -m cicd` in a process of its own, as a user does."""
        return subprocess.run(
            [sys.executable, "-m", "cicd", words[0], "--parameters", str(self.file), *words[1:]],
            cwd=ROOT,
            env=self.cloud.environment,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def deploy(self) -> dict[str, str]:
        """Deploy the stack; its outputs."""
        done = self.run("deploy", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return self.outputs()

    def status(self, stack: str | None = None) -> str | None:
        """The state of the stack, None where there is none."""
        cloudformation = self.cloud.client("cloudformation")
        try:
            return str(cloudformation.describe_stacks(StackName=stack or self.stack)["Stacks"][0]["StackStatus"])
        except cloudformation.exceptions.ClientError:
            return None

    def outputs(self) -> dict[str, str]:
        found = self.cloud.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        return {row["OutputKey"]: row["OutputValue"] for row in found["Outputs"]}

    def resources(self) -> dict[str, str]:
        """The physical ids of the stack's resources by their logical ones."""
        rows = self.cloud.client("cloudformation").describe_stack_resources(StackName=self.stack)["StackResources"]
        return {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}

    def buckets(self) -> set[str]:
        """The buckets of this project that there are."""
        every = self.cloud.client("s3").list_buckets()["Buckets"]
        return {bucket["Name"] for bucket in every if bucket["Name"].startswith(self.project)}


def new_team(cloud: Any, folder: Path, **changes: Any) -> Team:
    project = f"p{uuid.uuid4().hex[:8]}"
    team = Team(cloud, folder / f"{project}.yaml", project)
    team.write(**changes)
    return team


@pytest.fixture
def team(cloud: Any, tmp_path: Path) -> Team:
    """A project that nothing is deployed for yet."""
    return new_team(cloud, tmp_path)


@pytest.fixture(scope="session")
def deployed(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A project whose stack is deployed; a test may not change it."""
    team = new_team(
        cloud,
        tmp_path_factory.mktemp("cicd"),
        mlflow_secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:mlflow-AbCdEf",
        data_bucket="flowers",
        model_names="iris-*",
    )
    team.deploy()
    return team


@pytest.fixture(scope="session")
def elsewhere(deployed: Team, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A project on CodeCommit, in a VPC, with SageMaker's managed MLflow, whose failures somebody is told of."""
    folder = tmp_path_factory.mktemp("cicd")
    team = Team(deployed.cloud, folder / "elsewhere.yaml", f"{deployed.project}c")
    team.write(
        provider="CodeCommit",
        repository=f"{team.project}-models",
        create_repository=True,
        notification_email="team@example.com",
        mlflow_tracking_uri=MANAGED_MLFLOW,
        mlflow_artifact_bucket="team-mlflow",
        **NETWORK,
    )
    done = team.run("deploy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PENDING" not in done.stdout
    return team
