"""buildspec.yml: the pins are where the README says, and valid for the program that reads them."""

from pathlib import Path

import yaml
from model_deploy.pin import parse_pin

ROOT = Path(__file__).parents[2]


def test_the_pins_are_texts_at_the_top_and_pin_a_model() -> None:
    buildspec = yaml.safe_load((ROOT / "buildspec.yml").read_text())
    variables = buildspec["env"]["variables"]
    assert list(variables) == ["MODEL_NAME", "MODEL_VERSION"]
    assert all(isinstance(value, str) for value in variables.values())
    assert parse_pin(variables["MODEL_NAME"], variables["MODEL_VERSION"]).number == 1


def test_a_task_installs_its_own_package_and_runs_it() -> None:
    phases = yaml.load((ROOT / "buildspec.yml").read_text(), Loader=yaml.BaseLoader)["phases"]  # noqa: S506
    assert phases["build"]["commands"] == ['python -m "$TASK"']
    assert any("$TASK" in command for command in phases["install"]["commands"])
