"""Completion criteria, on objectives in the order in which training jobs finished."""

from __future__ import annotations

import pytest
from local_aws.sagemaker.tuning.completion import Criteria, converged, not_improving


@pytest.mark.parametrize("maximize", [True, False])
def test_a_gain_of_one_percent_or_less_is_no_improvement(maximize: bool) -> None:
    sign = 1 if maximize else -1
    assert not_improving([], maximize=maximize) == 0
    assert not_improving([sign * 1.0], maximize=maximize) == 0
    assert not_improving([sign * value for value in (1.0, 1.005, 1.009)], maximize=maximize) == 2
    assert not_improving([sign * value for value in (1.0, 1.005, 1.02)], maximize=maximize) == 0
    assert not_improving([sign * value for value in (1.0, 2.0, 0.5, 1.5)], maximize=maximize) == 2


def test_nothing_completes_a_tuning_job_that_asked_for_nothing_or_has_nothing() -> None:
    assert not Criteria().met([0.5] * 100, maximize=True)
    assert not Criteria(target=0.0, not_improving=3, convergence=True).met([], maximize=True)


def test_a_target_is_reached_from_its_own_side() -> None:
    assert Criteria(target=0.9).met([0.1, 0.9], maximize=True)
    assert not Criteria(target=0.9).met([0.1, 0.89], maximize=True)
    assert Criteria(target=0.1).met([0.5, 0.1], maximize=False)
    assert not Criteria(target=0.1).met([0.5, 0.11], maximize=False)


def test_a_best_that_stays_completes_after_the_number_asked_for() -> None:
    criteria = Criteria.parse({"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}})
    assert not criteria.met([0.9, 0.1, 0.2], maximize=True)
    assert criteria.met([0.9, 0.1, 0.2, 0.3], maximize=True)


def test_convergence_takes_many_jobs_without_improvement_and_must_be_asked_for() -> None:
    values = [0.9] + [0.1] * 30
    assert converged(values, maximize=True)
    assert not converged(values[:-1], maximize=True)
    assert Criteria.parse({"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}).met(values, maximize=True)
    assert not Criteria.parse({"ConvergenceDetected": {"CompleteOnConvergence": "Disabled"}}).met(values, maximize=True)
