"""Training jobs: create, describe, list, stop.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from __future__ import annotations

from typing import Any

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.errors import in_use, not_found, validation_error
from local_aws.lifecycle import on_start
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import execution_role, listing, tags
from local_aws.sagemaker.jobs import Jobs, describe
from local_aws.sagemaker.metrics import MetricReader
from local_aws.sagemaker.s3_io import is_address
from local_aws.sagemaker.training_job import KIND, TrainingJob
from local_aws.store import Exists, now

_JOBS = Jobs()
_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)
_OPEN = ("InProgress", "Stopping")


@SAGEMAKER.operation("CreateTrainingJob")
def create_training_job(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    return create(cloud, request)


def create(
    cloud: Cloud, request: dict[str, Any], tuning_job_arn: str | None = None, metrics: MetricReader | None = None
) -> dict[str, Any]:
    """Start a training job; raises `AwsError`.

    `tuning_job_arn` is that of the tuning job whose trial it is, `metrics` the reader in which the tuning job follows
    the values as they come.
    """
    name = request["TrainingJobName"]
    check(cloud, request)
    arn = cloud.arn(f"training-job/{name}")
    at = now()
    described = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": at, "StatusMessage": "Preparing the instances for training"}
        ],
        "CreationTime": at,
        "LastModifiedTime": at,
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        "EnableManagedSpotTraining": request.get("EnableManagedSpotTraining", False),
        "EnableInterContainerTrafficEncryption": request.get("EnableInterContainerTrafficEncryption", False),
        **({"TuningJobArn": tuning_job_arn} if tuning_job_arn else {}),
    }
    try:
        with cloud.store.transaction():
            cloud.store.create(KIND, name, described)
            tags.record(cloud, arn, request)
    except Exists:
        raise in_use(
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({arn})"
        ) from None
    job = TrainingJob(cloud, described, metrics)
    _JOBS.start(job.job, job.live)
    return {"TrainingJobArn": arn}


def check(cloud: Cloud, request: dict[str, Any]) -> None:
    """Refuse what AWS refuses beyond the service model, and what this cloud cannot carry out."""
    execution_role.check(cloud, request["RoleArn"], cloud.arn(f"training-job/{request['TrainingJobName']}"))
    algorithm = request["AlgorithmSpecification"]
    if "TrainingImage" not in algorithm:
        raise validation_error(
            "AlgorithmSpecification names no TrainingImage: algorithms of the Marketplace are not carried out here"
        )
    images.resolve(cloud, algorithm["TrainingImage"])
    MetricReader(algorithm.get("MetricDefinitions", []))
    resources = request.get("ResourceConfig", {})
    if resources.get("InstanceGroups"):
        raise validation_error("ResourceConfig: InstanceGroups are not carried out here; use InstanceCount")
    if resources.get("InstanceCount", 1) < 1:
        raise validation_error("ResourceConfig: InstanceCount must be at least 1 where there are no InstanceGroups")
    for member, name in (("OutputDataConfig", "S3OutputPath"), ("CheckpointConfig", "S3Uri")):
        _check_address(f"{member}: {name}", request.get(member, {}).get(name))
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    for name in channels:
        if channels.count(name) > 1:
            raise validation_error(f"Channel names must be unique: {name} is given more than once")
        if name in (".", ".."):
            raise validation_error(f"Channel {name}: the name of a channel must be that of a folder")
    for channel in request.get("InputDataConfig", []):
        if "S3DataSource" not in channel["DataSource"]:
            raise validation_error(f"Channel {channel['ChannelName']}: only S3DataSource is carried out here")
        if channel["DataSource"]["S3DataSource"]["S3DataType"] != "S3Prefix":
            raise validation_error(
                f"Channel {channel['ChannelName']}: of the S3 data types only S3Prefix is carried out here"
            )
        _check_address(f"Channel {channel['ChannelName']}: S3Uri", channel["DataSource"]["S3DataSource"]["S3Uri"])
        mode = channel.get("InputMode", algorithm.get("TrainingInputMode", "File"))
        if mode == "Pipe":
            raise validation_error(
                f"Channel {channel['ChannelName']}: input mode Pipe is not carried out here; use File or FastFile"
            )


def _check_address(name: str, uri: str | None) -> None:
    if uri is not None and not is_address(uri):
        raise validation_error(f"{name} must be s3:// and a bucket; it is {uri}")


@SAGEMAKER.operation("DescribeTrainingJob")
def describe_training_job(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    return describe(cloud, KIND, request["TrainingJobName"], "training job")


@SAGEMAKER.operation("ListTrainingJobs")
def list_training_jobs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    rows, token = listing.page(
        cloud.store.all(KIND), request, name_key="TrainingJobName", status_key="TrainingJobStatus"
    )
    return listing.answer(
        "TrainingJobSummaries", [{key: row[key] for key in _SUMMARY if key in row} for row in rows], token
    )


@SAGEMAKER.operation("StopTrainingJob")
def stop_training_job(cloud: Cloud, request: dict[str, Any]) -> None:
    """SIGTERM, and SIGKILL two minutes later: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html"""
    name = request["TrainingJobName"]
    body = cloud.store.find(KIND, name)
    if body is None:
        raise not_found("Requested resource not found.")
    if body["TrainingJobStatus"] not in _OPEN:
        raise validation_error(
            f"The request was rejected because the training job is in status {body['TrainingJobStatus']}."
        )
    cloud.store.update(
        KIND,
        name,
        lambda row: (
            {**row, "TrainingJobStatus": "Stopping", "SecondaryStatus": "Stopping"}
            if row["TrainingJobStatus"] == "InProgress"
            else None
        ),
    )
    _JOBS.stop(cloud, name)


@on_start
def fail_what_was_running(cloud: Cloud) -> None:
    """Jobs cannot outlive their cloud: those that ran when it ended have failed."""
    for row in cloud.store.all(KIND):
        if row["TrainingJobStatus"] in _OPEN:
            reason = "InternalServerError: local-aws ended while the job ran"
            changes = {
                "TrainingJobStatus": "Failed",
                "SecondaryStatus": "Failed",
                "FailureReason": reason,
                "TrainingEndTime": now(),
            }
            cloud.store.update(KIND, row["TrainingJobName"], changes)
