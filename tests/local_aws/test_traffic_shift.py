"""DeploymentConfigs as steps of traffic, and those that AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.sagemaker.traffic_shift import LONGEST_WAIT_SECONDS, TrafficShift, problem


def blue_green(kind: str, wait: int = 1, **sizes: Any) -> dict[str, Any]:
    """A blue/green DeploymentConfig."""
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **sizes}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 2}}


def percent(value: int) -> dict[str, Any]:
    """A size in percent of the capacity."""
    return {"Type": "CAPACITY_PERCENT", "Value": value}


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (blue_green("CANARY"), "CanarySize must be given"),
        (blue_green("LINEAR"), "LinearStepSize must be given"),
        (blue_green("ALL_AT_ONCE", CanarySize=percent(10)), "can only be given for traffic routing of type CANARY"),
        (blue_green("CANARY", CanarySize=percent(60)), "it can be 50 at most"),
        ({**blue_green("ALL_AT_ONCE"), "RollingUpdatePolicy": {}}, "only provide one of"),
    ],
)
def test_a_contradictory_configuration_is_told_what_is_wrong(config: dict[str, Any], wrong: str) -> None:
    assert wrong in str(problem(config))


def test_without_a_configuration_all_traffic_moves_at_once() -> None:
    assert problem(None) is None
    assert [(step.share, step.bake_seconds) for step in TrafficShift.of(None, 1).steps] == [(1.0, 0.0)]


def test_canary_linear_and_rolling_move_it_in_their_steps() -> None:
    canary = TrafficShift.of(blue_green("CANARY", CanarySize=percent(10)), 1)
    assert [(step.share, step.bake_seconds) for step in canary.steps] == [(0.1, 1.0), (1.0, 1.0)]
    assert canary.termination_seconds == 2
    linear = TrafficShift.of(blue_green("LINEAR", LinearStepSize=percent(33)), 1)
    assert [round(step.share, 2) for step in linear.steps] == [0.33, 0.66, 0.99, 1.0]
    instances = {"Type": "INSTANCE_COUNT", "Value": 1}
    rolling = {"RollingUpdatePolicy": {"MaximumBatchSize": instances, "WaitIntervalInSeconds": 0}}
    assert [step.share for step in TrafficShift.of(rolling, 2).steps] == [0.5, 1.0]


def test_long_waits_are_shortened_for_a_rehearsal() -> None:
    [step] = TrafficShift.of(blue_green("ALL_AT_ONCE", wait=3600), 1).steps
    assert step.bake_seconds == LONGEST_WAIT_SECONDS
