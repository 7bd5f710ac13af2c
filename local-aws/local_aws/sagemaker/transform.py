"""Batch transform jobs: create, describe, list, stop.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
"""

from __future__ import annotations

import threading
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import in_use, not_found, validation_error
from local_aws.lifecycle import on_start
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import listing, models, tags
from local_aws.sagemaker.transform_job import KIND, TransformJob
from local_aws.sagemaker.transform_records import LINE, SINGLE_RECORD
from local_aws.store import Body, Exists, now

_OPEN = ("InProgress", "Stopping")
_SUMMARY = (
    "TransformJobName",
    "TransformJobArn",
    "CreationTime",
    "TransformEndTime",
    "LastModifiedTime",
    "TransformJobStatus",
    "FailureReason",
)
_LARGEST_MB = 100
_RUNNING: dict[tuple[int, str], TransformJob] = {}


@SAGEMAKER.operation("CreateTransformJob")
def create_transform_job(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Start a job that has a model's container answer the records of objects in S3."""
    name = request["TransformJobName"]
    _check(request)
    models.served(cloud, request["ModelName"])
    arn = cloud.arn(f"transform-job/{name}")
    at = now()
    described = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "BatchStrategy": request.get("BatchStrategy", "MultiRecord"),
        "MaxPayloadInMB": request.get("MaxPayloadInMB", 6),
        "MaxConcurrentTransforms": request.get("MaxConcurrentTransforms", 1),
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": 600,
            "InvocationsMaxRetries": 3,
            **request.get("ModelClientConfig", {}),
        },
        "TransformInput": {"CompressionType": "None", "SplitType": "None", **request["TransformInput"]},
        "TransformOutput": {"AssembleWith": "None", **request["TransformOutput"]},
        "TransformJobArn": arn,
        "TransformJobStatus": "InProgress",
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
    job = TransformJob(cloud, described)
    _RUNNING[id(cloud), name] = job

    def live() -> None:
        try:
            job.run()
        finally:
            _RUNNING.pop((id(cloud), name), None)

    threading.Thread(target=live, name=f"{KIND} {name}", daemon=True).start()
    return {"TransformJobArn": arn}


@SAGEMAKER.operation("DescribeTransformJob")
def describe_transform_job(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A job's state."""
    return _find(cloud, request["TransformJobName"])


@SAGEMAKER.operation("ListTransformJobs")
def list_transform_jobs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of jobs."""
    rows, token = listing.page(
        cloud.store.all(KIND), request, name_key="TransformJobName", status_key="TransformJobStatus"
    )
    summaries = [{key: row[key] for key in _SUMMARY if key in row} for row in rows]
    return listing.answer("TransformJobSummaries", summaries, token)


@SAGEMAKER.operation("StopTransformJob")
def stop_transform_job(cloud: Cloud, request: dict[str, Any]) -> None:
    """Have a job end soon, without results for what it has not finished; one that has ended stays as it is."""
    name = request["TransformJobName"]
    body = _find(cloud, name)
    if body["TransformJobStatus"] not in _OPEN:
        return

    def stopping(row: Body) -> Body | None:
        return {**row, "TransformJobStatus": "Stopping"} if row["TransformJobStatus"] == "InProgress" else None

    cloud.store.update(KIND, name, stopping)
    job = _RUNNING.get((id(cloud), name))
    if job is not None:
        # The container may take its time to end, which is no reason to keep the caller.
        threading.Thread(target=job.stop, name=f"stop {name}", daemon=True).start()


@on_start
def fail_what_was_running(cloud: Cloud) -> None:
    """Jobs cannot outlive their cloud: those that ran when it ended have failed."""
    for row in cloud.store.all(KIND):
        if row["TransformJobStatus"] in _OPEN:
            reason = "InternalServerError: local-aws ended while the job ran"
            changes = {"TransformJobStatus": "Failed", "FailureReason": reason, "TransformEndTime": now()}
            cloud.store.update(KIND, row["TransformJobName"], changes)


def _find(cloud: Cloud, name: str) -> Body:
    body = cloud.store.find(KIND, name)
    if body is None:
        raise not_found(f"Could not find transform job with name {name}.")
    return body


def _check(request: dict[str, Any]) -> None:
    """Refuse what AWS refuses, and by name what is not carried out here."""
    source = request["TransformInput"]
    split = source.get("SplitType", "None")
    kind = source["DataSource"]["S3DataSource"]["S3DataType"]
    if kind not in ("S3Prefix", "ManifestFile"):
        raise validation_error(f"S3DataType {kind} is not carried out by local-aws: use S3Prefix or ManifestFile.")
    if split not in ("None", LINE):
        raise validation_error(f"SplitType {split} is not carried out by local-aws: use None or Line.")
    if request.get("BatchStrategy") == SINGLE_RECORD and split != LINE:
        raise validation_error("BatchStrategy SingleRecord needs a SplitType: set SplitType to Line.")
    processing = request.get("DataProcessing", {})
    for member, neutral in (("InputFilter", "$"), ("OutputFilter", "$"), ("JoinSource", "None")):
        if processing.get(member, neutral) != neutral:
            raise validation_error(f"DataProcessing with {member} is not carried out by local-aws.")
    if "DataCaptureConfig" in request:
        raise validation_error("DataCaptureConfig of a transform job is not carried out by local-aws.")
    largest = request.get("MaxPayloadInMB", 6) * (request.get("MaxConcurrentTransforms", 1) or 1)
    if largest > _LARGEST_MB:
        raise validation_error(
            f"MaxConcurrentTransforms * MaxPayloadInMB is {largest} MB: it must not exceed {_LARGEST_MB} MB."
        )
