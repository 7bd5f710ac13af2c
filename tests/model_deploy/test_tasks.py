"""The builds of the pipeline as CodeBuild runs them: buildspec.yml's commands in a shell, in a checkout of its own."""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("buildspec.yml", "pyproject.toml", "requirements.lock", "requirements-uv.lock")
FOLDERS = ("cicd", "model-build", "model-deploy", "tests/model_build")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The parts of this repository that a build reads, to be changed at will."""
    folder = tmp_path / "checkout"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PARTS:
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests" / "conftest.py")
    return folder


@pytest.fixture
def build(checkout: Path) -> Build:
    """Run the buildspec's commands one after the other in one shell, as far as they succeed."""

    def run(task: str | None, *after: str, phases: tuple[str, ...] = ("install", "build"), **environment: str) -> Any:
        buildspec = yaml.safe_load((checkout / "buildspec.yml").read_text())
        commands = [command for phase in phases for command in buildspec["phases"][phase]["commands"]]
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_", "SM_"))}
        programs = (Path(sys.executable).parent, Path(sys.prefix) / "uv" / "bin")
        return subprocess.run(
            ["sh", "-c", " && ".join([*commands, *after])],
            cwd=checkout,
            env={
                **own,
                "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
                "AWS_DEFAULT_REGION": "us-east-1",
                # What this environment has already is not to be fetched.
                "UV_OFFLINE": "1",
                "PIP_NO_INDEX": "1",
                **buildspec["env"]["variables"],
                **({} if task is None else {"TASK": task}),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    return run


def failures(report: Path) -> int:
    return len(ElementTree.parse(report).getroot().findall(".//failure"))  # noqa: S314


@pytest.mark.parametrize("task", [None, "", "deploy", "../tasks/package", "model_deploy"])
def test_a_task_that_there_is_not_is_told_before_anything_is_installed(build: Build, task: str | None) -> None:
    ran = build(task)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"TASK is '{task or ''}', which is no task of this repository: set it to model_build,")
    assert len(ran.stderr.splitlines()) == 1


def test_what_a_task_needs_is_found_in_place_without_a_network(build: Build, checkout: Path) -> None:
    for task in ("model_build", "serving_image", "package", "smoke_test"):
        began = time.monotonic()
        ran = build(task, phases=("install",))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert time.monotonic() - began < 10
    assert (checkout / "release").is_dir()
    assert (checkout / "reports").is_dir()


def test_a_unit_test_that_fails_ends_the_build_before_anything_is_started(build: Build, checkout: Path) -> None:
    for tests in (checkout / "tests" / "model_build" / "unit").glob("test_*.py"):
        if tests.name != "test_gate.py":  # the others pass, and import the training's libraries
            tests.unlink()
    gate = checkout / "model-build" / "source" / "gate.yaml"
    gate.write_text(gate.read_text().replace("accuracy > 0.9", "accuracy >= 0.9"))
    ran = build(
        "model_build",
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        ARTIFACT_BUCKET="artifacts",
        EXECUTION_ROLE_ARN="arn:aws:iam::123456789012:role/jobs",
    )
    assert ran.returncode == 1
    assert "test_the_default_gate_is_strict_at_accuracy_09" in ran.stdout
    assert "MLflow server" not in ran.stdout + ran.stderr, "the pipeline would have asked it first"
    assert failures(checkout / "reports" / "unit-tests.xml") == 1


@pytest.mark.parametrize(
    ("task", "environment", "says"),
    [
        ("package", {"MODEL_VERSION": ""}, "MODEL_VERSION is empty"),
        ("package", {}, "SERVING_REPOSITORY is not set"),
        ("smoke_test", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}, "STAGE is not set"),
        ("serving_image", {}, "SERVING_REPOSITORY is not set"),
    ],
)
def test_a_task_that_fails_ends_the_build_with_its_sentence_and_a_report(
    build: Build, checkout: Path, task: str, environment: dict[str, str], says: str
) -> None:
    ran = build(task, "echo exported", **environment)
    assert ran.returncode == 1
    assert f"Error: {says}" in ran.stderr
    assert "exported" not in ran.stdout
    assert failures(checkout / "reports" / "task.xml") == 1


def test_a_package_is_made_and_its_plan_is_exported(
    build: Build,
    checkout: Path,
    settings: dict[str, str],
    registered: Callable[[str], Any],
    serving_image: str,
) -> None:
    registered("tasked")
    environment = {name: value for name, value in settings.items() if name != "SERVING_IMAGE"}
    ran = build(
        "package",
        'printf "%s|" "$MODEL_NAME" "$MODEL_VERSION" "$PLAN" "$MODEL_URL"',
        **{
            **{name: environment[name] for name in environment if name.startswith(("AWS_", "MLFLOW_"))},
            "ARTIFACT_BUCKET": settings["ARTIFACT_BUCKET"],
            "EXECUTION_ROLE_ARN": settings["EXECUTION_ROLE_ARN"],
            "SERVING_REPOSITORY": serving_image.partition(":")[0],
            "SERVING_PYTHON": PYTHON,
            "CODEBUILD_RESOLVED_SOURCE_VERSION": "0123456789abcdef",
            "MODEL_NAME": "tasked",
            "MODEL_VERSION": "1",
        },
    )
    assert ran.returncode == 0, ran.stderr
    *_, last = ran.stdout.splitlines()
    name, version, plan, url, _ = last.split("|")
    assert (name, version) == ("tasked", "1")
    assert "released from commit 0123456789ab." in plan
    assert len(plan) <= 900
    assert url.endswith("/#/models/tasked/versions/1")
    made = {path.name for path in (checkout / "release").iterdir()}
    assert made == {"endpoint.yaml", "staging.json", "prod.json", "release.json", "variables.sh"}
    assert failures(checkout / "reports" / "task.xml") == 0
