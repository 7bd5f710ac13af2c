"""Fail steps end their execution with a message."""

from __future__ import annotations

from local_aws.sagemaker.pipelines.expressions import evaluate
from local_aws.sagemaker.pipelines.steps.turn import Properties, StepFailed, Turn


def fail(turn: Turn) -> Properties:
    """Raise `StepFailed` with the step's message, which may be empty."""
    message = str(evaluate(turn.step.arguments.get("ErrorMessage", ""), turn.scope))
    turn.note({"Metadata": {"Fail": {"ErrorMessage": message}}})
    raise StepFailed(message, ends_execution=True)
