"""The plan: what is done about a stack, from what it is and what it should be."""

from dataclasses import replace
from pathlib import Path

import pytest
from model_deploy.deployment import Deployment, Ground, deployment_of
from model_deploy.errors import DeploymentError
from model_deploy.plan import Action, Change, Stack, plan, plan_back
from model_deploy.stage import Stage, read_stage
from model_deploy.version import RegisteredVersion

STAGES = Path(__file__).parents[2] / "model-deploy" / "stages"
STAGING, PROD = read_stage(STAGES / "staging.yaml"), read_stage(STAGES / "prod.yaml")
GROUND = Ground("artifacts", "arn:aws:iam::123456789012:role/endpoint", "repository:py3.12-sklearn1.9.0-0123456789ab")
VERSION = RegisteredVersion("iris", 3, "run", {"tier": "gold"}, frozenset())
TEMPLATE = "Resources: {}\n"


def deployment(version: RegisteredVersion = VERSION, stage: Stage = STAGING) -> Deployment:
    return deployment_of(version, "models/iris/abc/model.tar.gz", "staging", stage, GROUND)


def stack_of(wanted: Deployment, status: str = "CREATE_COMPLETE") -> Stack:
    return Stack(wanted.stack_name, status, wanted.parameters, TEMPLATE)


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_a_stack_that_is_being_changed_is_left_alone(status: str) -> None:
    with pytest.raises(DeploymentError, match=f"iris-staging is {status}: another deployment"):
        plan(stack_of(deployment(), status), deployment(), TEMPLATE)


def test_planning_ahead_a_stack_that_is_being_changed_is_what_it_will_be() -> None:
    made = plan(
        stack_of(deployment(), "UPDATE_IN_PROGRESS"), deployment(replace(VERSION, number=2)), TEMPLATE, ahead=True
    )
    assert (made.action, made.serves_now, made.serves_then) == (Action.UPDATE, "iris version 3", "iris version 2")


def test_planning_ahead_a_stack_that_is_stuck_is_refused_all_the_same() -> None:
    with pytest.raises(DeploymentError, match="continue-update-rollback"):
        plan(stack_of(deployment(), "UPDATE_ROLLBACK_FAILED"), deployment(), TEMPLATE, ahead=True)


def test_a_stack_that_is_stuck_says_what_frees_it() -> None:
    with pytest.raises(DeploymentError, match="continue-update-rollback --stack-name iris-staging"):
        plan(stack_of(deployment(), "UPDATE_ROLLBACK_FAILED"), deployment(), TEMPLATE)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "REVIEW_IN_PROGRESS"])
def test_the_remains_of_a_failed_creation_are_made_anew(status: str) -> None:
    made = plan(stack_of(deployment(), status), deployment(), TEMPLATE)
    assert (made.action, made.serves_now) == (Action.CREATE_ANEW, None)


@pytest.mark.parametrize("tags", [{}, {"tier": "bronze"}])
def test_a_stage_refuses_a_version_of_another_tier(tags: dict[str, str]) -> None:
    with pytest.raises(DeploymentError, match="takes versions of tier gold or standard, but iris version 3 is"):
        deployment(replace(VERSION, tags=tags), PROD)


def test_where_there_is_no_stack_one_is_created() -> None:
    made = plan(None, deployment(), TEMPLATE)
    assert made.action is Action.CREATE
    assert Change("ModelVersion", None, "3") in made.changes


def test_the_same_pin_again_changes_nothing() -> None:
    made = plan(stack_of(deployment(), "UPDATE_ROLLBACK_COMPLETE"), deployment(), TEMPLATE)
    assert (made.action, made.changes) == (Action.NOTHING, ())
    assert made.serves_now == "iris version 3"


def test_another_version_is_an_update_that_names_only_what_changes() -> None:
    now, then = stack_of(deployment()), deployment(replace(VERSION, number=2))
    made = plan(now, then, TEMPLATE)
    assert made.action is Action.UPDATE
    assert made.changes == (Change("ModelVersion", "3", "2"),)


def test_another_template_is_an_update_too() -> None:
    made = plan(stack_of(deployment()), deployment(), "Resources: {Topic: {Type: AWS::SNS::Topic}}")
    assert (made.action, made.changes, made.template_changed) == (Action.UPDATE, (), True)


def test_a_deployment_is_the_same_for_the_same_version_and_settings() -> None:
    retagged = replace(VERSION, tags={"tier": "gold", "staging_endpoint": "x"}, aliases=frozenset({"staging"}))
    assert deployment(retagged) == deployment()


def test_every_setting_of_a_stage_reaches_the_stack() -> None:
    made = deployment_of(VERSION, "models/iris/abc/model.tar.gz", "prod", PROD, GROUND)
    assert made.endpoint_name == "iris-prod"
    assert made.parameters["UpdateRouting"] == "CANARY"
    assert made.parameters["ScalingMaximumInstances"] == "4"
    assert made.parameters["AlarmLatencyMicroseconds"] == "500000"
    assert made.parameters["ModelDataUrl"] == "s3://artifacts/models/iris/abc/model.tar.gz"


def test_the_way_back_is_a_plan_to_what_was_served_before() -> None:
    since = replace(stack_of(deployment(replace(VERSION, number=4))), template="Resources: {Another: {}}")
    back = plan_back(since, "staging", stack_of(deployment()))
    assert (back.action, back.serves_now, back.serves_then) == (Action.UPDATE, "iris version 4", "iris version 3")
    assert back.template_changed
    assert back.changes == (Change("ModelVersion", "4", "3"),)
