"""How traffic moves from one fleet to the next: a DeploymentConfig as a list of steps.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

# A bake is there for alarms to see minutes of traffic. A rehearsal has none, so waits are shortened to this.
LONGEST_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Step:
    """The new fleet gets `share` of the traffic (0 to 1), and the alarms are watched for `bake_seconds` then."""

    share: float
    bake_seconds: float


@dataclass(frozen=True)
class TrafficShift:
    """A whole update; `termination_seconds` is how long the old fleet stays afterwards, `alarms` roll it back."""

    steps: tuple[Step, ...] = (Step(1.0, 0.0),)
    termination_seconds: float = 0.0
    alarms: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: dict[str, Any] | None, instances: int) -> TrafficShift:
        """The steps that a DeploymentConfig means for a fleet of so many instances; None means all at once."""
        config = config or {}
        alarms = tuple(alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
        if "RollingUpdatePolicy" in config:
            policy = config["RollingUpdatePolicy"]
            batch = _share(policy["MaximumBatchSize"], instances)
            return cls(_in_batches(batch, _wait(policy["WaitIntervalInSeconds"])), 0.0, alarms)
        if "BlueGreenUpdatePolicy" not in config:
            return cls(alarms=alarms)
        policy = config["BlueGreenUpdatePolicy"]
        routing = policy["TrafficRoutingConfiguration"]
        bake = _wait(routing["WaitIntervalInSeconds"])
        steps: tuple[Step, ...] = (Step(1.0, bake),)
        if routing["Type"] == "CANARY":
            steps = (Step(_share(routing["CanarySize"], instances), bake), Step(1.0, bake))
        elif routing["Type"] == "LINEAR":
            steps = _in_batches(_share(routing["LinearStepSize"], instances), bake)
        return cls(steps, _wait(policy.get("TerminationWaitInSeconds", 0)), alarms)


def problem(config: dict[str, Any] | None) -> str | None:
    """What is wrong with a DeploymentConfig as a whole, or None.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TrafficRoutingConfig.html
    """
    config = config or {}
    if "RollingUpdatePolicy" in config and "BlueGreenUpdatePolicy" in config:
        return "You can only provide one of BlueGreenUpdatePolicy and RollingUpdatePolicy."
    routing = config.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
    for kind, size in (("CANARY", "CanarySize"), ("LINEAR", "LinearStepSize")):
        if routing.get("Type") == kind and size not in routing:
            return f"{size} must be given for traffic routing of type {kind}."
        if routing.get("Type") != kind and size in routing:
            return f"{size} can only be given for traffic routing of type {kind}."
    for name, limit in (("CanarySize", 50), ("LinearStepSize", 50), ("MaximumBatchSize", 50)):
        size = routing.get(name) or config.get("RollingUpdatePolicy", {}).get(name)
        if size and size["Type"] == "CAPACITY_PERCENT" and size["Value"] > limit:
            return f"{name} is {size['Value']} percent; it can be {limit} at most."
    return None


def _share(size: dict[str, Any], instances: int) -> float:
    whole = 100 if size["Type"] == "CAPACITY_PERCENT" else max(instances, 1)
    return min(size["Value"] / whole, 1.0)


def _in_batches(share: float, bake: float) -> tuple[Step, ...]:
    count = math.ceil(round(1 / share, 6))
    return tuple(Step(min(share * number, 1.0), bake) for number in range(1, count + 1))


def _wait(seconds: float) -> float:
    return min(float(seconds), LONGEST_WAIT_SECONDS)
