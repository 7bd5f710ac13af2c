"""The tuning job's own loop against training jobs that are only rows: limits too long for a test, and odd ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_aws.cloud import Cloud, Settings
from local_aws.errors import AwsError, validation_error
from local_aws.sagemaker import training
from local_aws.sagemaker.tuning import plan as plans
from local_aws.sagemaker.tuning import trials
from local_aws.sagemaker.tuning.job import KIND, TuningJob
from local_aws.store import Store, now

Create = Callable[..., dict[str, Any]]

REQUEST: dict[str, Any] = {
    "HyperParameterTuningJobName": "t",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 20, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0", "MaxValue": "1"}]},
    },
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {"MetricDefinitions": [{"Name": "score", "Regex": "score=(.*)"}]},
        "ResourceConfig": {"InstanceType": "ml.m5.large"},
    },
}


class _Rows(Cloud):
    """A cloud whose training jobs are rows that end when they are told to."""

    def call(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert (service, operation) == ("sagemaker", "StopTrainingJob")
        self.end(request["TrainingJobName"], "Stopped")
        return {}

    def end(self, name: str, status: str, **more: Any) -> None:
        self.store.update("training_job", name, {"TrainingJobStatus": status, "TrainingEndTime": now(), **more})


@pytest.fixture
def rows(tmp_path: Path) -> _Rows:
    cloud = _Rows(Settings(tmp_path, 1), Store(tmp_path / "state.db"), keeper=None)  # type: ignore[arg-type]
    arn = cloud.arn("hyper-parameter-tuning-job/t")
    cloud.store.create(
        KIND,
        "t",
        {
            **REQUEST,
            "HyperParameterTuningJobArn": arn,
            "HyperParameterTuningJobStatus": "InProgress",
            "_Trials": [],
            **trials.progress([]),
        },
    )
    return cloud


def _created(monkeypatch: pytest.MonkeyPatch, then: Callable[[_Rows, str], None]) -> None:
    def create(cloud: _Rows, request: dict[str, Any], **_: Any) -> dict[str, Any]:
        name = request["TrainingJobName"]
        cloud.store.create(
            "training_job", name, {**request, "TrainingJobStatus": "InProgress", "TrainingJobArn": cloud.arn(name)}
        )
        then(cloud, name)
        return {}

    monkeypatch.setattr(training, "create", create)


def _tuned(rows: _Rows, **limits: Any) -> dict[str, Any]:
    plan = plans.parse(REQUEST)
    TuningJob(rows, rows.store.get(KIND, "t"), replace(plan, limits=replace(plan.limits, **limits))).run()
    return rows.store.get(KIND, "t")


def _scores(cloud: _Rows, name: str) -> None:
    metrics = [{"MetricName": "score", "Value": 0.5, "Timestamp": now()}]
    cloud.end(name, "Completed", FinalMetricDataList=metrics)


def test_time_that_runs_out_completes_with_what_was_found(rows: _Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_ends(cloud: _Rows, name: str) -> None:
        if "-001-" in name:
            _scores(cloud, name)

    _created(monkeypatch, first_ends)
    described = _tuned(rows, seconds=1)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 1
    assert described["TrainingJobStatusCounters"]["Stopped"] == 2
    assert described["BestTrainingJob"]["TrainingJobName"].startswith("t-001-")


def test_time_that_runs_out_before_any_objective_fails(rows: _Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    _created(monkeypatch, lambda *_: None)
    described = _tuned(rows, seconds=1)
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert "before the tuning job had to end" in described["FailureReason"]


def test_a_training_job_that_is_refused_later_fails_the_tuning_job_with_its_reason(
    rows: _Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> AwsError:
        raise validation_error("no such image any more")

    monkeypatch.setattr(training, "create", refused)
    described = _tuned(rows)
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"] == "no such image any more"


def test_a_training_job_deleted_while_it_ran_does_not_hold_up_the_others(
    rows: _Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_vanishes(cloud: _Rows, name: str) -> None:
        if "-002-" in name:
            cloud.store.delete("training_job", name)
        else:
            _scores(cloud, name)

    _created(monkeypatch, second_vanishes)
    described = _tuned(rows, jobs=4)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 3


def test_a_fault_in_the_loop_is_written_down_and_not_hidden(rows: _Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(training, "create", broken)
    with pytest.raises(ZeroDivisionError):
        _tuned(rows)
    assert "InternalServerError: ZeroDivisionError" in rows.store.get(KIND, "t")["FailureReason"]
