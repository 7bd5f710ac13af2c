"""The text that a person approves by: what it says of each stage, and that it never outgrows an approval's message."""

from dataclasses import replace
from pathlib import Path

import pytest
from model_deploy.approval import LONGEST, approval_text
from model_deploy.deployment import Deployment, Ground, deployment_of
from model_deploy.plan import Plan, Stack, plan
from model_deploy.stage import read_stage
from model_deploy.version import RegisteredVersion

STAGES = Path(__file__).parents[2] / "model-deploy" / "stages"
GROUND = Ground("artifacts", "arn:aws:iam::123456789012:role/endpoint", "repository:py3.12-sklearn1.9.0-0123456789ab")
LINEAGE = {"tier": "gold", "source_commit": "abcdef0123456789", "source_trigger": "codepipeline/team-model-build"}
VERSION = RegisteredVersion("iris", 3, "run", LINEAGE, frozenset())
TEMPLATE = "Resources: {}\n"


def deployment(number: int, stage: str = "staging") -> Deployment:
    version = replace(VERSION, number=number)
    return deployment_of(
        version, f"models/iris/{number}/model.tar.gz", stage, read_stage(STAGES / f"{stage}.yaml"), GROUND
    )


def update(before: Deployment, status: str = "UPDATE_COMPLETE", template: str = TEMPLATE) -> Plan:
    return plan(Stack(before.stack_name, status, before.parameters, template), deployment(3), TEMPLATE, ahead=True)


def text(*plans: Plan, version: RegisteredVersion = VERSION) -> str:
    return approval_text(version, list(plans), {"f1": 0.96659, "accuracy": 0.96667}, "d" * 64, "fedcba9876543210")


def test_it_says_what_serves_now_and_then_how_good_it_is_and_where_it_is_from() -> None:
    assert text(update(deployment(2)), plan(None, deployment(3, "prod"), TEMPLATE)) == (
        "Release iris version 3 (tier gold). staging: version 2 now, then version 3. "
        "prod: nothing serves yet, then version 3. Metrics: accuracy 0.9667, f1 0.9666. "
        "Trained by codepipeline/team-model-build from commit abcdef012345. "
        f"Package digest {'d' * 64}, released from commit fedcba987654."
    )


def test_a_stage_that_serves_it_already_is_said_to_stay() -> None:
    assert "staging: serves version 3 already, nothing changes." in text(update(deployment(3)))


def test_what_else_changes_with_the_version_is_named() -> None:
    before = deployment(2)
    before = replace(before, parameters={**before.parameters, "InstanceCount": "4", "ServingImage": "x" * 80})
    told = text(update(before, template="Resources: {A: {}}"))
    assert "then version 3; also changes ServingImage, InstanceCount 4 to 1, endpoint.yaml." in told


def test_a_stage_that_another_release_is_changing_now_is_said_to_be() -> None:
    told = text(update(deployment(2), status="UPDATE_IN_PROGRESS"))
    assert "staging: version 2 now (UPDATE_IN_PROGRESS), then version 3." in told


def test_a_version_nobody_knows_anything_about_is_told_as_such() -> None:
    told = approval_text(replace(VERSION, tags={}), [update(deployment(2))], {}, "d" * 64, "unknown")
    assert "(no tier)" in told
    assert "Metrics: none are known. Who trained it is not known." in told


@pytest.mark.parametrize("trigger", ["someone " * 300, "a\nb\r\nc"])
def test_it_is_one_line_that_an_approval_takes(trigger: str) -> None:
    told = text(update(deployment(2)), version=replace(VERSION, tags={**LINEAGE, "source_trigger": trigger}))
    assert len(told) <= LONGEST
    assert len(told.splitlines()) == 1
    assert told.startswith("Release iris version 3")
