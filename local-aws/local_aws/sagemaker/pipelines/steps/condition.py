"""Condition steps decide which of two lists of steps runs."""

from __future__ import annotations

from local_aws.sagemaker.pipelines.conditions import holds
from local_aws.sagemaker.pipelines.steps.turn import Properties, Turn


def decide(turn: Turn) -> Properties:
    """The outcome: whether all conditions hold."""
    outcome = all(holds(condition, turn.scope) for condition in turn.step.arguments["Conditions"])
    turn.note({"Metadata": {"Condition": {"Outcome": str(outcome)}}})
    return {"Outcome": str(outcome).lower()}
