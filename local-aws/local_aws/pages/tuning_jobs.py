"""Tuning jobs: their trials as a scatter plot of the objective over the number of the trial, and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from werkzeug.wrappers import Response

from local_aws.pages import jobs, logs, mlflow_links, scatter
from local_aws.pages.scatter import Observation
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status
from local_aws.sagemaker.tuning import trials
from local_aws.sagemaker.tuning.trials import Result

_KIND = "tuning_job"
_TRAINING = jobs.KINDS["training-jobs"]


@dataclass(frozen=True)
class Trial:
    """One training job of a tuning job as the table shows it."""

    number: int
    name: str
    path: str
    status: Status
    value: float | None
    best: bool
    hyperparameters: dict[str, str]
    metrics: dict[str, float]
    started: datetime | None
    ended: datetime | None
    links: list[Link]


@page("/_local/tuning-jobs/<name>")
def tuning_job(visit: Visit, name: str) -> Response:
    """One tuning job."""
    body = visit.cloud.store.find(_KIND, name)
    if body is None:
        names = [row["HyperParameterTuningJobName"] for row in visit.cloud.store.all(_KIND)[:-21:-1]]
        there = [Link(each, visit.path(tuning_job, name=each)) for each in names]
        raise NotThere(f"There is no tuning job named {name}.", there)
    found = trials.results(visit.cloud, body)
    best = trials.best(found)
    rows = [_trial(visit, number, result, result is best) for number, result in enumerate(found, 1)]
    first = found[0].trial if found else None
    return visit.show(
        "tuning_job.html",
        title=name,
        job=body,
        status=Status.of(body["HyperParameterTuningJobStatus"]),
        metric=first.metric if first else "objective",
        maximize=first.maximize if first else True,
        plot=scatter.plot([_observation(row) for row in rows], next((row.number for row in rows if row.best), None)),
        trials=rows,
        names=list(dict.fromkeys(key for row in rows for key in row.hyperparameters)),
        others=list(dict.fromkeys(key for row in rows for key in row.metrics)),
        best=next((row for row in rows if row.best), None),
        most=body["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs"),
        strategy=body["HyperParameterTuningJobConfig"]["Strategy"],
        reason=body.get("FailureReason", ""),
        moving=Status.of(body["HyperParameterTuningJobStatus"]).moving,
    )


def _trial(visit: Visit, number: int, result: Result, best: bool) -> Trial:
    body = result.training_job
    streams = logs.streams(visit, _TRAINING.group, f"{result.trial.name}/")
    text = "\n".join(stream.text for stream in streams)
    metrics = {entry["MetricName"]: entry["Value"] for entry in body.get("FinalMetricDataList", [])}
    metrics.pop(result.trial.metric, None)
    return Trial(
        number,
        result.trial.name,
        jobs.path(visit, _TRAINING.segment, result.trial.name),
        Status.of(result.status),
        result.value,
        best,
        result.trial.hyperparameters,
        metrics,
        body.get("TrainingStartTime"),
        body.get("TrainingEndTime"),
        mlflow_links.known([mlflow_links.run(text), *mlflow_links.models(text)]),
    )


def _observation(trial: Trial) -> Observation:
    chosen = ", ".join(f"{name} = {value}" for name, value in trial.hyperparameters.items())
    told = f"{trial.value:g}" if trial.value is not None else trial.status.text.lower()
    return Observation(trial.number, trial.value, f"Trial {trial.number}: {told} ({chosen})", trial.path)
