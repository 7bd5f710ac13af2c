"""How a tuning job ends: its last status, and for the status Failed the reason in the words of AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local_aws.sagemaker.tuning.trials import Result

# After so many training jobs without one success AWS gives the tuning job up.
ATTEMPTS = 5


@dataclass(frozen=True)
class Ending:
    """A HyperParameterTuningJobStatus, and the FailureReason or None."""

    status: str
    reason: str | None = None


def judge(found: Sequence[Result]) -> Ending:
    """Completed where any training job gave its objective, however many others did not; otherwise Failed."""
    if any(result.value is not None for result in found):
        return Ending("Completed")
    if any(result.status == "Completed" for result in found):
        return Ending(
            "Failed",
            f"No objective metrics found after running {len(found)} training jobs. Please ensure that the custom "
            "algorithm is emitting the objective metric as defined by the regular expression provided.",
        )
    if all(result.status == "Stopped" for result in found):
        return Ending("Failed", "No training job gave its objective metric before the tuning job had to end.")
    said = (
        "All training jobs failed."
        if len(found) < ATTEMPTS
        else f"No training job succeeded after {len(found)} attempts."
    )
    return Ending("Failed", f"{said} Please take a look at the training job failures to get more details.")
