"""buildspec.yml: the pins are where the README says and valid for the program that reads them; the rest is what
CodeBuild documents. https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from model_deploy.pin import parse_pin

ROOT = Path(__file__).parents[2]
TASKS = {"model_build", "serving_image", "package", "smoke_test"}


@pytest.fixture(scope="module")
def buildspec() -> Any:
    return yaml.load((ROOT / "buildspec.yml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506


def test_the_pins_are_texts_at_the_top_and_pin_a_model() -> None:
    buildspec = yaml.safe_load((ROOT / "buildspec.yml").read_text())
    variables = buildspec["env"]["variables"]
    assert list(variables) == ["MODEL_NAME", "MODEL_VERSION"]
    assert all(isinstance(value, str) for value in variables.values())
    assert parse_pin(variables["MODEL_NAME"], variables["MODEL_VERSION"]).number == 1


def test_how_to_release_and_roll_back_stands_above_the_pins() -> None:
    above = (ROOT / "buildspec.yml").read_text().partition("MODEL_NAME:")[0]
    assert "release:" in above
    assert "roll back:" in above


def test_it_has_only_keys_that_codebuild_documents(buildspec: Any) -> None:
    assert set(buildspec) == {"version", "env", "phases", "artifacts", "reports", "cache"}
    assert buildspec["version"] == "0.2"
    assert set(buildspec["env"]) == {"variables", "exported-variables"}
    assert set(buildspec["phases"]) == {"install", "build"}
    assert set(buildspec["artifacts"]) == {"base-directory", "files"}
    assert set(buildspec["reports"]["tests"]) == {"base-directory", "files", "file-format"}
    assert set(buildspec["cache"]) == {"paths"}


def test_python_is_one_that_the_standard_build_images_have(buildspec: Any) -> None:
    assert buildspec["phases"]["install"]["runtime-versions"] == {"python": "3.12"}


def test_the_approval_is_told_the_version_the_plan_and_where_to_read(buildspec: Any) -> None:
    assert buildspec["env"]["exported-variables"] == ["MODEL_NAME", "MODEL_VERSION", "PLAN", "MODEL_URL"]


def test_every_task_has_its_script_and_every_script_is_a_task() -> None:
    scripts = {path.stem for path in (ROOT / "cicd" / "tasks").glob("*.sh")}
    assert scripts - {"install", "run"} == TASKS
