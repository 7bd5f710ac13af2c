"""Tuning jobs: create, describe, list, stop, delete, and list their training jobs.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.contract import Contract
from local_aws.errors import in_use, not_found, validation_error
from local_aws.lifecycle import on_start
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import listing, tags, training
from local_aws.sagemaker.tuning import plan as plans
from local_aws.sagemaker.tuning import trials, warm_start
from local_aws.sagemaker.tuning.job import KIND, OPEN, TuningJob
from local_aws.store import Exists, now

_SUMMARY = (
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobArn",
    "HyperParameterTuningJobStatus",
    "CreationTime",
    "HyperParameterTuningEndTime",
    "LastModifiedTime",
    "TrainingJobStatusCounters",
    "ObjectiveStatusCounters",
)
_VALUE = "FinalObjectiveMetricValue"


@SAGEMAKER.operation("CreateHyperParameterTuningJob")
def create(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Start a tuning job; what its training jobs would be refused for is refused here."""
    name = request["HyperParameterTuningJobName"]
    plan = plans.parse(request)
    warm_start.check(cloud, request, plan)
    for definition in plan.definitions:
        first = trials.training_request(
            definition, f"{name}-001", {range_.name: "" for range_ in definition.ranges}, []
        )
        training.check(cloud, Contract.of("sagemaker").check("CreateTrainingJob", first))
    arn, at = cloud.arn(f"hyper-parameter-tuning-job/{name}"), now()
    description = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "HyperParameterTuningJobArn": arn,
        "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": at,
        "LastModifiedTime": at,
        "_Trials": [],
        **trials.progress([]),
    }
    with cloud.store.transaction():
        try:
            cloud.store.create(KIND, name, description)
        except Exists:
            raise in_use(
                f"Hyperparameter tuning job names must be unique within an AWS account and region, and a job with "
                f"this name already exists ({arn})"
            ) from None
        tags.record(cloud, arn, request)
    TuningJob(cloud, description, plan).start()
    return {"HyperParameterTuningJobArn": arn}


@SAGEMAKER.operation("DescribeHyperParameterTuningJob")
def describe(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    row = _get(cloud, request)
    if row["HyperParameterTuningJobStatus"] in OPEN:
        row["ConsumedResources"] = {"RuntimeInSeconds": round((now() - row["CreationTime"]).total_seconds())}
    return {key: value for key, value in row.items() if not key.startswith("_")}


@SAGEMAKER.operation("ListHyperParameterTuningJobs")
def list_tuning_jobs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    rows, token = listing.page(
        cloud.store.all(KIND),
        request,
        name_key="HyperParameterTuningJobName",
        status_key="HyperParameterTuningJobStatus",
        default_sort="Name",
        default_order="Ascending",
    )
    return listing.answer("HyperParameterTuningJobSummaries", [_summary(row) for row in rows], token)


@SAGEMAKER.operation("ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The training jobs of a tuning job; sorted by FinalObjectiveMetricValue, only those that have one.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTrainingJobsForHyperParameterTuningJob.html
    """
    rows = []
    for result in trials.results(cloud, _get(cloud, request)):
        if result.value is not None or request.get("SortBy") != _VALUE:
            rows.append({**result.summary(), _VALUE: result.value})
    page, token = listing.page(
        rows,
        request,
        name_key="TrainingJobName",
        status_key="TrainingJobStatus",
        default_sort="Name",
        default_order="Ascending",
    )
    summaries = [{key: value for key, value in row.items() if key != _VALUE} for row in page]
    return listing.answer("TrainingJobSummaries", summaries, token)


@SAGEMAKER.operation("StopHyperParameterTuningJob")
def stop(cloud: Cloud, request: dict[str, Any]) -> None:
    """Have the tuning job stop its training jobs and end."""

    def stopping(row: dict[str, Any]) -> dict[str, Any] | None:
        status = row["HyperParameterTuningJobStatus"]
        if status == "Stopping":
            return None
        if status != "InProgress":
            raise validation_error(
                f"The request was rejected because the hyperparameter tuning job is in status {status}."
            )
        return {**row, "HyperParameterTuningJobStatus": "Stopping", "LastModifiedTime": now()}

    with cloud.store.transaction():
        cloud.store.update(KIND, _get(cloud, request)["HyperParameterTuningJobName"], stopping)


@SAGEMAKER.operation("DeleteHyperParameterTuningJob")
def delete(cloud: Cloud, request: dict[str, Any]) -> None:
    """Remove the entry of a tuning job that has ended; its training jobs and artifacts stay."""
    with cloud.store.transaction():
        row = _get(cloud, request)
        status = row["HyperParameterTuningJobStatus"]
        if status in OPEN:
            raise validation_error(
                f"The request was rejected because the hyperparameter tuning job is in status {status}. Stop it first."
            )
        cloud.store.delete(KIND, row["HyperParameterTuningJobName"])
        tags.forget(cloud, row["HyperParameterTuningJobArn"])


@on_start
def fail_what_was_running(cloud: Cloud) -> None:
    """A tuning job cannot outlive its cloud: one that ran when it ended has failed, as its training jobs have."""
    for row in cloud.store.all(KIND):
        if row["HyperParameterTuningJobStatus"] in OPEN:
            at = now()
            changes = {
                **trials.progress(trials.results(cloud, row)),
                "HyperParameterTuningJobStatus": "Failed",
                "FailureReason": "InternalServerError: local-aws ended while the tuning job ran",
                "HyperParameterTuningEndTime": at,
                "LastModifiedTime": at,
            }
            cloud.store.update(KIND, row["HyperParameterTuningJobName"], changes)


def _get(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    name = request["HyperParameterTuningJobName"]
    row = cloud.store.find(KIND, name)
    if row is None:
        raise not_found(f"Amazon SageMaker can't find a tuning job with name: {name}")
    return row


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    config = row["HyperParameterTuningJobConfig"]
    return {
        **{key: row[key] for key in _SUMMARY if key in row},
        "Strategy": config["Strategy"],
        "ResourceLimits": config["ResourceLimits"],
    }
