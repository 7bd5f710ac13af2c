"""When a tuning job has found enough: the completion criteria, judged on the objectives of finished training jobs.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-progress.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# A best that gets better by less than this share of itself does not count as improving.
_IMPROVEMENT = 0.01
# AWS does not publish how it detects convergence; Optuna's stagnation rule takes this many jobs without improvement.
_CONVERGED = 30


@dataclass(frozen=True)
class Criteria:
    """What completes a tuning job before its limits do; None or False where it was not asked for."""

    target: float | None = None
    not_improving: int | None = None
    convergence: bool = False

    @staticmethod
    def parse(given: dict[str, Any]) -> Criteria:
        """From TuningJobCompletionCriteria."""
        return Criteria(
            target=given.get("TargetObjectiveMetricValue"),
            not_improving=given.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving"),
            convergence=given.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled",
        )

    def met(self, values: Sequence[float], *, maximize: bool) -> bool:
        """Whether these objectives, in the order the training jobs finished, complete the tuning job."""
        if not values:
            return False
        best = max(values) if maximize else min(values)
        if self.target is not None and (best >= self.target if maximize else best <= self.target):
            return True
        idle = not_improving(values, maximize=maximize)
        if self.not_improving is not None and idle >= self.not_improving:
            return True
        return self.convergence and converged(values, maximize=maximize)


def not_improving(values: Sequence[float], *, maximize: bool) -> int:
    """How many training jobs have finished since one improved the best objective by more than 1 %."""
    best, idle = None, 0
    for value in values:
        gain = None if best is None else (value - best if maximize else best - value)
        if best is None or (gain is not None and gain > _IMPROVEMENT * abs(best)):
            best, idle = value, 0
        else:
            idle += 1
    return idle


def converged(values: Sequence[float], *, maximize: bool) -> bool:
    """Whether so many training jobs brought no improvement that none is expected any more."""
    return not_improving(values, maximize=maximize) >= _CONVERGED
