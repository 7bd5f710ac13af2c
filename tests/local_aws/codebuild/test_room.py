"""What a build sees of the machine: the environment's Python to change at will, and docker where it is privileged."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
LOGIN = (
    "python -c \"import base64, boto3; t = boto3.client('ecr').get_authorization_token(); "
    "print(base64.b64decode(t['authorizationData'][0]['authorizationToken']).decode().split(':')[1])\" | "
    f"docker login --username AWS --password-stdin {REGISTRY}"
)
DOCKERFILE = """ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim
COPY server.py /opt/program/server.py
ENTRYPOINT ["python", "/opt/program/server.py"]
"""
PYTHON = f"PYTHON_VERSION={sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("image", ["aws/codebuild/standard", "python:3.12", f"{REGISTRY}/own:1"])
def test_an_image_that_nothing_here_stands_for_fails_the_provisioning(builds: Any, image: str) -> None:
    built = builds.commands("true", environment={"image": image})

    assert built.status == "FAILED"
    assert built.context("PROVISIONING").startswith("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: ")
    assert image in built.context("PROVISIONING")


def test_a_build_may_spoil_its_python_and_nobody_else_sees_it(builds: Any) -> None:
    package = Path(importlib.metadata.distribution("click").locate_file("click"))  # type: ignore[arg-type]

    built = builds.commands(
        f"rm -r '{package}'", "python -c 'import click' 2>&1 | tail -n 1", f"echo mine > '{sys.prefix}/mine'"
    )

    assert built.said == ["ModuleNotFoundError: No module named 'click'"]
    assert built.status == "SUCCEEDED"
    assert (package / "core.py").is_file()
    assert not (Path(sys.prefix) / "mine").exists()


def test_python_pip_and_uv_are_those_of_the_environment_and_home_is_the_builds(builds: Any) -> None:
    built = builds.commands(
        'python -c "import sys, sklearn; print(sys.prefix)"',
        'python3 -c "import sys; print(sys.prefix)"',
        'uv pip install --quiet --offline --python "$(command -v python)" click && echo satisfied',
        "pip --version | cut -d ' ' -f 1",
        "echo $HOME; ls -A $HOME | wc -l",
    )

    assert built.said[:4] == [sys.prefix, sys.prefix, "satisfied", "pip"]
    assert built.said[4].startswith(str(builds.cloud.home))
    assert built.status == "SUCCEEDED"


def test_the_source_wins_over_what_is_installed(builds: Any) -> None:
    files = {"room/model_deploy/__init__.py": "", "room/model_deploy/__main__.py": "print('the pushed one')"}
    spec = json.dumps({"version": "0.2", "phases": {"build": {"commands": ["cd room && python -m model_deploy"]}}})

    assert builds.run(spec, files).said == ["the pushed one"]


def test_without_overlays_a_build_has_a_copy(cloud_without_rooms: Any, builds_of: Any) -> None:
    builds = builds_of(cloud_without_rooms)
    package = Path(importlib.metadata.distribution("click").locate_file("click"))  # type: ignore[arg-type]

    built = builds.commands(
        "python -m pip uninstall --quiet --yes click >/dev/null 2>&1",
        "python -c 'import click' 2>&1 | tail -n 1",
        "python -c 'import sys; print(sys.prefix)'",
    )

    assert built.said[0] == "ModuleNotFoundError: No module named 'click'"
    assert built.said[1].startswith(str(builds.cloud.home))
    assert (package / "core.py").is_file()


def test_docker_needs_privileged_mode(builds: Any) -> None:
    built = builds.commands("docker build -t a .")

    assert "Cannot connect to the Docker daemon" in built.log
    assert built.status == "FAILED"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"docker push {REGISTRY}/none:1", "No such image"),
        ("docker build --squash -t a .", "No such option"),
        ("docker build -t a nowhere", "the context must be a folder"),
        ("docker build -t a .", "asks for Python 3.12|failed to build"),
        ("docker run a", "No such command 'run'"),
        (f"echo wrong | docker login -u AWS --password-stdin {REGISTRY}", "401 Unauthorized"),
        (f"docker build --build-arg {PYTHON} -t {REGISTRY}/none:1 . && docker push {REGISTRY}/none:1", "no basic auth"),
        (
            f"docker build --build-arg {PYTHON} -t {REGISTRY}/none:1 . && {LOGIN} && docker push {REGISTRY}/none:1",
            "name unknown: ",
        ),
    ],
)
def test_docker_refuses_what_it_cannot_do(builds: Any, command: str, said: str) -> None:
    dockerfile = DOCKERFILE.replace("3.12", "3.2") if "3.12" in said else DOCKERFILE

    built = _privileged(builds, command, dockerfile=dockerfile)

    assert built.status == "FAILED"
    assert any(part in built.log for part in said.split("|"))


def test_a_pushed_image_is_in_the_registry_and_can_be_served_and_its_tag_is_immutable(builds: Any) -> None:
    name = f"serving-{uuid.uuid4().hex[:8]}"
    ecr = builds.cloud.client("ecr")
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    uri = f"{REGISTRY}/{name}:one"
    build = f"docker build --platform linux/amd64 --provenance false --build-arg {PYTHON} -t {uri} ."

    pushed = _privileged(builds, LOGIN, build, f"docker image inspect {uri}", f"docker push {uri}")
    again = _privileged(builds, LOGIN, "echo '# other' >> server.py", build, f"docker push {uri}")

    assert pushed.status == "SUCCEEDED", pushed.log
    images = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert [image["imageTags"] for image in images] == [["one"]]
    assert again.status == "FAILED"
    assert "tag invalid: " in again.log
    sagemaker = builds.cloud.client("sagemaker")
    sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": uri}, ExecutionRoleArn="arn:aws:iam::123456789012:role/rehearsal"
    )


def _privileged(builds: Any, *commands: str, dockerfile: str = DOCKERFILE) -> Any:
    spec = json.dumps({"version": "0.2", "phases": {"build": {"commands": list(commands)}}})
    files = {"Dockerfile": dockerfile, "server.py": "print('serving')"}
    return builds.run(spec, files, environment={"privilegedMode": True})
