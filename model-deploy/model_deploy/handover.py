"""What the task `package` hands over to the pipeline: a folder of files that the later stages deploy and test by.

    endpoint.yaml                the template of both stages' stacks
    staging.json, prod.json      template configurations: a stack's parameters and tags
    release.json                 what the smoke tests need
    variables.sh                 what the approval shows, for the build's shell to export

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from model_deploy.deployment import Deployment
from model_deploy.errors import DeploymentError
from model_deploy.smoke import SmokeTest

RELEASE = "release.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageTest(_Part):
    """Which endpoint a stage is tested on, and the median round trip it has to keep, in milliseconds."""

    endpoint: str
    latency_milliseconds: int


class ReleasedVersion(_Part):
    """The version that was packaged: its S3 address, the request that tests it, and what has to come back."""

    model_name: str
    model_version: int
    package: str
    commit: str
    example: str
    expected: list[Any]
    stages: dict[str, StageTest]

    @property
    def smoke_test(self) -> SmokeTest:
        """The smoke test of any of its endpoints."""
        return SmokeTest(self.example.encode(), self.expected, f"{self.model_name}/{self.model_version}")


def write_handover(
    folder: Path,
    template: str,
    deployments: list[Deployment],
    released: ReleasedVersion,
    variables: Mapping[str, str],
) -> None:
    """Write the files into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "endpoint.yaml").write_text(template, encoding="utf-8")
    for each in deployments:
        configuration = {"Parameters": dict(each.parameters), "Tags": dict(each.tags)}
        (folder / f"{each.stage}.json").write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")
    (folder / RELEASE).write_text(json.dumps(released.model_dump(), indent=2) + "\n", encoding="utf-8")
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (folder / "variables.sh").write_text("".join(lines), encoding="utf-8")


def read_release(folder: Path) -> ReleasedVersion:
    """The version that a folder was written for.

    Raises:
        DeploymentError: the folder holds no release, or one that was written by another version of this program.
    """
    path = folder / RELEASE
    try:
        return ReleasedVersion.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DeploymentError(
            f"There is no release in {folder} ({RELEASE}: {error.strerror}). Give the folder that python -m "
            "model_deploy package has written; in a pipeline, the artifact of the Package action must be an input."
        ) from error
    except (ValueError, ValidationError) as error:
        raise DeploymentError(
            f"{path} is no release that this program can read: {str(error).splitlines()[0]}. Package the version again."
        ) from error
