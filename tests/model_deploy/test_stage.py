"""Stage settings: what a stage file may say, and that the two there are hold."""

from pathlib import Path

import pytest
from model_deploy.errors import DeploymentError
from model_deploy.stage import Routing, read_stage

STAGES = Path(__file__).parents[2] / "model-deploy" / "stages"
SMALL = "instance_type: ml.m5.large\ninstance_count: 2\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("instance_count: 1", "instance_type: Field required"),
        (SMALL + "instance_size: big", r"instance_size is no setting; there are instance_type, instance_count"),
        (SMALL + "update:\n  speed: fast", r"update\.speed is no setting; there are routing, step_percent"),
        (SMALL + "instance_count: 0", "instance_count: Input should be greater than or equal to 1"),
        (SMALL + 'instance_count: "2"', "instance_count: Input should be a valid integer"),
        (SMALL + "instance_type: m5.large", "instance_type: String should match"),
        (SMALL + "capture:\n  sampling_percent: 101", r"capture\.sampling_percent: .*less than or equal to 100"),
        (SMALL + "update:\n  routing: sudden", r"update\.routing: .*'all_at_once', 'canary', 'linear' or 'rolling'"),
        (SMALL + "update:\n  timeout_seconds: 60", r"update\.timeout_seconds: .*greater than or equal to 600"),
        (SMALL + "update: {routing: linear, step_percent: 10, wait_seconds: 300}", "the waits alone take 3000 seconds"),
        (SMALL + "update: {routing: canary, step_percent: 10}", r"10 percent of 2 instance\(s\) is less than one"),
        ("instance_type: ml.m5.large\ninstance_count: 1\nupdate: {routing: rolling}", "less than one instance"),
        (
            SMALL + "scaling: {minimum_instances: 4, maximum_instances: 2, invocations_per_instance: 9}",
            "is above maximum",
        ),
        (
            SMALL + "scaling: {minimum_instances: 3, maximum_instances: 4, invocations_per_instance: 9}",
            "within the bounds",
        ),
        (SMALL + "alarms: {server_errors: 0}", r"alarms\.server_errors: .*greater than or equal to 1"),
        (SMALL + "log_retention_days: 31", "log_retention_days: Input should be 1, 3, 5, 7, 14"),
        ("- a list", "should be a valid dictionary"),
        ("", "should be a valid dictionary"),
        ("instance_type: [", "is not YAML"),
    ],
)
def test_a_stage_file_that_does_not_hold_is_refused_with_the_setting_named(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "staging.yaml"
    path.write_text(text)
    with pytest.raises(DeploymentError, match=says) as refused:
        read_stage(path)
    assert str(path) in str(refused.value)


def test_a_missing_stage_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"qa\.yaml cannot be read"):
        read_stage(tmp_path / "qa.yaml")


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "staging.yaml").write_text("instance_count: 0\ncolour: red\n")
    with pytest.raises(DeploymentError, match=r"instance_type: .*; instance_count: .*; colour is no setting"):
        read_stage(tmp_path / "staging.yaml")


def test_the_two_stages_hold_and_prod_proves_a_version_on_part_of_its_capacity() -> None:
    staging, prod = read_stage(STAGES / "staging.yaml"), read_stage(STAGES / "prod.yaml")
    assert staging.instance_count == 1
    assert prod.update.routing is Routing.CANARY
    assert prod.tiers == ("gold", "standard")
    assert prod.scaling is not None
