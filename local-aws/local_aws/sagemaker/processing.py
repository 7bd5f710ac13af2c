"""Processing jobs: create, describe, list, stop.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.errors import in_use, not_found, validation_error
from local_aws.lifecycle import on_start
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import execution_role, listing, tags
from local_aws.sagemaker.jobs import Jobs, describe
from local_aws.sagemaker.processing_job import KIND, ProcessingJob
from local_aws.sagemaker.s3_io import is_address
from local_aws.store import Exists, now

_JOBS = Jobs()
_OPEN = ("InProgress", "Stopping")
_PROCESSING = "/opt/ml/processing"
_CARRIED_OUT = {"S3DataType": "S3Prefix", "S3InputMode": "File", "S3UploadMode": "EndOfJob"}
_SUMMARY = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "CreationTime",
    "ProcessingEndTime",
    "LastModifiedTime",
    "ProcessingJobStatus",
    "FailureReason",
    "ExitMessage",
)


@SAGEMAKER.operation("CreateProcessingJob")
def create_processing_job(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    name = request["ProcessingJobName"]
    _check(cloud, request)
    arn = cloud.arn(f"processing-job/{name}")
    at = now()
    described = {
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        **{key: value for key, value in request.items() if key != "Tags"},
        "ProcessingJobArn": arn,
        "ProcessingJobStatus": "InProgress",
        "CreationTime": at,
        "LastModifiedTime": at,
    }
    try:
        with cloud.store.transaction():
            cloud.store.create(KIND, name, described)
            tags.record(cloud, arn, request)
    except Exists:
        raise in_use(
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})"
        ) from None
    job = ProcessingJob(cloud, described)
    _JOBS.start(job.job, job.live)
    return {"ProcessingJobArn": arn}


def _check(cloud: Cloud, request: dict[str, Any]) -> None:
    """Refuse what SageMaker refuses beyond the service model, and what this cloud cannot carry out."""
    execution_role.check(cloud, request["RoleArn"], cloud.arn(f"processing-job/{request['ProcessingJobName']}"))
    app = request["AppSpecification"]
    image = images.resolve(cloud, app["ImageUri"])
    if not (app.get("ContainerEntrypoint") or image.entrypoint or image.cmd):
        raise validation_error(f"Image {image.uri} has no entry point: give ContainerEntrypoint in AppSpecification")
    inputs, outputs = request.get("ProcessingInputs", []), request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for kind, items, part in (("InputName", inputs, "S3Input"), ("OutputName", outputs, "S3Output")):
        names = [item[kind] for item in items]
        if len(set(names)) != len(names):
            raise validation_error(f"{kind} must be unique within a processing job: {', '.join(names)}")
        for item in items:
            _check_transfer(f"{kind.removesuffix('Name')} {item[kind]}", item, part)


def _check_transfer(name: str, item: dict[str, Any], part: str) -> None:
    """One input or output: it is of S3, lies under /opt/ml/processing, and moves in a way that is carried out."""
    if part not in item:
        raise validation_error(f"{name}: only {part} is carried out here")
    transfer = item[part]
    if "LocalPath" not in transfer:
        raise validation_error(f"{name}: its {part} needs a LocalPath under {_PROCESSING}")
    path = PurePosixPath(transfer["LocalPath"])
    if ".." in path.parts or not path.is_relative_to(_PROCESSING):
        raise validation_error(
            f"{name}: LocalPath must be {_PROCESSING} or lie below it, without '..'; it is {transfer['LocalPath']}"
        )
    if not is_address(transfer["S3Uri"]):
        raise validation_error(f"{name}: S3Uri must be s3:// and a bucket; it is {transfer['S3Uri']}")
    for member, carried_out in _CARRIED_OUT.items():
        if transfer.get(member, carried_out) != carried_out:
            raise validation_error(f"{name}: {member} {transfer[member]} is not carried out here; use {carried_out}")


@SAGEMAKER.operation("DescribeProcessingJob")
def describe_processing_job(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    return describe(cloud, KIND, request["ProcessingJobName"], "processing job")


@SAGEMAKER.operation("ListProcessingJobs")
def list_processing_jobs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    rows, token = listing.page(
        cloud.store.all(KIND), request, name_key="ProcessingJobName", status_key="ProcessingJobStatus"
    )
    return listing.answer(
        "ProcessingJobSummaries", [{key: row[key] for key in _SUMMARY if key in row} for row in rows], token
    )


@SAGEMAKER.operation("StopProcessingJob")
def stop_processing_job(cloud: Cloud, request: dict[str, Any]) -> None:
    name = request["ProcessingJobName"]
    body = cloud.store.find(KIND, name)
    if body is None:
        raise not_found(f"Could not find processing job with name {name}")
    if body["ProcessingJobStatus"] in _OPEN:
        cloud.store.update(
            KIND,
            name,
            lambda row: (
                {**row, "ProcessingJobStatus": "Stopping"} if row["ProcessingJobStatus"] == "InProgress" else None
            ),
        )
        _JOBS.stop(cloud, name)


@on_start
def fail_what_was_running(cloud: Cloud) -> None:
    """Jobs cannot outlive their cloud: those that ran when it ended have failed."""
    for row in cloud.store.all(KIND):
        if row["ProcessingJobStatus"] in _OPEN:
            reason = "InternalServerError: local-aws ended while the job ran"
            changes = {"ProcessingJobStatus": "Failed", "FailureReason": reason, "ProcessingEndTime": now()}
            cloud.store.update(KIND, row["ProcessingJobName"], changes)
