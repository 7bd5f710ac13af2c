"""`python -m model_deploy push-image`: with a real ECR beside it, and a docker that writes down how it was called."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from model_deploy.__main__ import main

# Notes its arguments and what it is given, pushes by telling ECR's PutImage as a registry would, fails when told to.
DOCKER = """#!{python}
import json, os, sys
verb, rest = sys.argv[1], sys.argv[2:]
told = {{"verb": verb, "rest": rest, "given": sys.stdin.read() if "--password-stdin" in rest else ""}}
told["attestations"] = os.environ.get("BUILDX_NO_DEFAULT_ATTESTATIONS")
with open(os.environ["DOCKER_NOTES"], "a") as notes:
    notes.write(json.dumps(told) + "\\n")
failing = os.environ.get("DOCKER_FAILS", "")
if verb == "push" and failing in ("", "push-after-another"):
    name, tag = rest[0].rpartition("/")[2].split(":")
    manifest = json.dumps({{"schemaVersion": 2, "config": {{"digest": "sha256:" + tag[-12:] * 5 + tag[2:6]}}}})
    media = "application/vnd.docker.distribution.manifest.v2+json"
    import boto3
    push = boto3.client("ecr").put_image
    push(repositoryName=name, imageTag=tag, imageManifest=manifest, imageManifestMediaType=media)
if failing.startswith(verb):
    print("Cannot connect to the Docker daemon", file=sys.stderr)
    sys.exit(1)
"""

Push = Callable[..., Result]


@pytest.fixture
def repository(cloud: Any) -> str:
    made = cloud.client("ecr").create_repository(
        repositoryName=f"serving-{uuid.uuid4().hex[:8]}", imageTagMutability="IMMUTABLE"
    )
    return str(made["repository"]["repositoryUri"])


@pytest.fixture
def settings(cloud: Any, repository: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a command that finds this docker and no other."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER.format(python=sys.executable))
    (programs / "docker").chmod(0o755)
    return {
        **cloud.environment,
        "PATH": str(programs),
        "SERVING_REPOSITORY": repository,
        "SERVING_PYTHON": "3.12",
        "DOCKER_NOTES": str(tmp_path / "notes"),
    }


@pytest.fixture
def push(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Push:
    """Run the command in this process; an error that is not told in a sentence fails the test."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(
            main, ["push-image", *arguments], env={**settings, **environment}, catch_exceptions=False
        )

    return run


def calls(tmp_path: Path) -> list[dict[str, Any]]:
    notes = tmp_path / "notes"
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def tags(cloud: Any, repository: str) -> list[str]:
    name = repository.rpartition("/")[2]
    return [image["imageTag"] for image in cloud.client("ecr").list_images(repositoryName=name)["imageIds"]]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SERVING_REPOSITORY": ""}, "SERVING_REPOSITORY is not set"),
        ({"SERVING_REPOSITORY": "registry.example/serving"}, "which is no ECR repository"),
        ({"SERVING_REPOSITORY": "123456789012.dkr.ecr.us-east-1.amazonaws.com/nowhere"}, "no ECR repository nowhere"),
        ({"SERVING_PYTHON": "three"}, "give Python's major.minor"),
        ({"DOCKER_FAILS": "login"}, "docker login failed with exit code 1"),
        ({"DOCKER_FAILS": "build"}, "docker build failed with exit code 1"),
        ({"DOCKER_FAILS": "push"}, "docker push failed with exit code 1"),
    ],
)
def test_what_keeps_the_image_from_being_pushed_is_told(
    cloud: Any, repository: str, push: Push, environment: dict[str, str], says: str
) -> None:
    ran = push(**environment)
    assert ran.exit_code == 1
    assert says in ran.stderr
    assert tags(cloud, repository) == []


def test_a_machine_without_docker_is_told_so(push: Push, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = push(PATH=str(tmp_path / "empty"))
    assert ran.exit_code == 1
    assert "There is no program docker here" in ran.stderr


def test_the_image_is_built_and_pushed_once_for_the_same_contents(
    cloud: Any, repository: str, settings: dict[str, str], push: Push, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.json"
    command = [sys.executable, "-m", "model_deploy", "push-image", "--summary", str(summary)]
    first = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=120)
    assert first.returncode == 0, first.stderr
    (tag,) = tags(cloud, repository)
    assert json.loads(summary.read_text()) == {"image": f"{repository}:{tag}", "pushed": True}
    login, build, pushed = calls(tmp_path)
    assert login["rest"][-1] == repository.partition("/")[0]
    assert login["given"]
    assert all(login["given"] not in call["rest"] for call in (login, build, pushed)), "no password on a command line"
    assert build["rest"][:4] == ["--tag", f"{repository}:{tag}", "--build-arg", "PYTHON_VERSION=3.12"]
    assert (Path(build["rest"][4]) / "Dockerfile").is_file()
    assert build["attestations"] == "1"
    assert pushed["rest"] == [f"{repository}:{tag}"]

    again = push("--summary", str(summary))
    assert again.exit_code == 0, again.stderr
    assert "is there already" in again.stdout
    assert json.loads(summary.read_text())["pushed"] is False
    assert len(calls(tmp_path)) == 3, "docker is not called for what is there"


def test_a_push_that_another_build_was_faster_with_is_no_failure(push: Push) -> None:
    ran = push(DOCKER_FAILS="push-after-another")
    assert ran.exit_code == 0, ran.stderr
    assert "is there already" in ran.stdout


def test_another_content_is_another_image(cloud: Any, repository: str, push: Push, tmp_path: Path) -> None:
    assert push(SERVING_PYTHON="3.12").exit_code == 0
    assert push(SERVING_PYTHON="3.13").exit_code == 0
    assert len(tags(cloud, repository)) == 2
