"""The serving image, built by docker and pushed to ECR, once for the same contents: its tag says what is in it.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/docker-push-ecr-image.html"""

import base64
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from model_deploy.errors import DeploymentError
from model_deploy.image import ServingEnvironment

_URI = re.compile(
    r"(?P<registry>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?)/(?P<name>[a-z0-9._/-]+)"
)
# SageMaker takes one manifest for one platform, not the list of them that docker makes of an image with attestations:
# https://docs.docker.com/build/metadata/attestations/
_ONE_MANIFEST = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_DEFAULT_PLATFORM": "linux/amd64"}


@dataclass(frozen=True)
class Repository:
    """A repository of ECR: its registry's host name, the account and region of that, and its name there."""

    registry: str
    account: str
    region: str
    name: str


def parse_repository(uri: str) -> Repository:
    """Read the URI of a repository. Raises DeploymentError for anything else."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise DeploymentError(
            f"SERVING_REPOSITORY is {uri!r}, which is no ECR repository: give its URI without a tag, such as "
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serving (output ServingRepositoryUri of the CI/CD's stack)."
        )
    return Repository(match["registry"], match["account"], match["region"], match["name"])


def push_unless_there(ecr: Any, repository: Repository, serving: ServingEnvironment, context: Path) -> bool:
    """Build and push the image of the directory `context`, unless one of this tag is in the repository.

    Returns True if it was pushed. Raises:
        DeploymentError: there is no such repository, docker is not there, or docker failed.
    """
    if _is_there(ecr, repository, serving.tag):
        return False
    uri = f"{repository.registry}/{repository.name}:{serving.tag}"
    _log_in(ecr, repository)
    _docker("build", "--tag", uri, "--build-arg", f"PYTHON_VERSION={serving.python}", str(context))
    try:
        _docker("push", uri)
    except DeploymentError:
        # Tags do not move: whoever pushed the same contents meanwhile has done our work.
        if _is_there(ecr, repository, serving.tag):
            return False
        raise
    return True


def _is_there(ecr: Any, repository: Repository, tag: str) -> bool:
    try:
        ecr.describe_images(registryId=repository.account, repositoryName=repository.name, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ImageNotFoundException":
            return False
        if code == "RepositoryNotFoundException":
            raise DeploymentError(
                f"There is no ECR repository {repository.name} in account {repository.account}, {repository.region}: "
                "deploy the CI/CD's stack, which makes it, or correct SERVING_REPOSITORY."
            ) from error
        raise
    return True


def _log_in(ecr: Any, repository: Repository) -> None:
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    # By standard input: a command line can be read by every process of the machine.
    _docker("login", "--username", user, "--password-stdin", repository.registry, given=password)


def _docker(*arguments: str, given: str | None = None) -> None:
    try:
        ended = subprocess.run(
            ["docker", *arguments], input=given, text=True, check=False, env={**os.environ, **_ONE_MANIFEST}
        )
    except FileNotFoundError as error:
        raise DeploymentError(
            "There is no program docker here, which builds and pushes the serving image: install it, or use an image "
            "for the build that has it (the standard images of CodeBuild do)."
        ) from error
    if ended.returncode != 0:
        raise DeploymentError(
            f"docker {arguments[0]} failed with exit code {ended.returncode}; the lines above are its own. Where it "
            "cannot connect to the Docker daemon, the build's project must run in privileged mode."
        )
