"""Executions of pipelines as they are kept: one row each, with a record of every step that was started.

pipeline_execution / <ARN>    the Describe response, and
    _steps       {step name: what ListPipelineExecutionSteps shows of it, _properties, _cache_key, _job}
    _parameters  {name: value}
    _attempts    {step name: attempts made before the latest retry of the execution}
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import not_found
from local_aws.sagemaker.pipelines.definition import PipelineDefinition, read_definition
from local_aws.sagemaker.pipelines.schedule import FAILED, STOPPED, SUCCEEDED
from local_aws.store import Body, now

KIND = "pipeline_execution"
VERSION_KIND = "pipeline_version"
EXECUTING, STOPPING = "Executing", "Stopping"
ENDED = {SUCCEEDED, FAILED, STOPPED}
_LONGEST_REASON = 1024


def find(cloud: Cloud, arn: str) -> Body:
    """An execution by its ARN; raises `AwsError` (ResourceNotFound)."""
    body = cloud.store.find(KIND, arn)
    if body is None:
        raise not_found(f"Pipeline execution with ARN ({arn}) does not exist.")
    return body


def of_pipeline(cloud: Cloud, pipeline_arn: str) -> list[Body]:
    """The executions of a pipeline, oldest first."""
    return cloud.store.all(KIND, {"PipelineArn": pipeline_arn})


def definition_text(cloud: Cloud, execution: Body) -> str:
    """The JSON that an execution carries out: the version of the pipeline it was started with."""
    return cloud.store.get(VERSION_KIND, version_name(execution["PipelineArn"], execution["PipelineVersionId"]))[
        "_definition"
    ]


def definition_of(cloud: Cloud, execution: Body) -> PipelineDefinition:
    return read_definition(definition_text(cloud, execution))


def version_name(pipeline_arn: str, version: int) -> str:
    """The name of the row that holds one version of a pipeline's definition."""
    return f"{pipeline_arn}/{version}"


def is_executing(execution: Body) -> bool:
    """Whether an execution goes on, as far as its requester is concerned."""
    return execution["PipelineExecutionStatus"] == EXECUTING


def change_step(cloud: Cloud, arn: str, step: str, change: Callable[[Body], Body]) -> Body:
    """Rewrite the record of one step; answers the execution as it then is."""

    def apply(body: Body) -> Body:
        steps = {**body["_steps"], step: change(body["_steps"].get(step, {}))}
        return {**body, "_steps": steps, "LastModifiedTime": now()}

    return cloud.store.update(KIND, arn, apply)


def end_step(cloud: Cloud, arn: str, step: str, status: str, *, reason: str | None = None, **members: Any) -> None:
    """Record how a step ended; `members` are further members of its record."""
    if reason:
        members["FailureReason"] = reason[:_LONGEST_REASON]
    change_step(cloud, arn, step, lambda record: {**record, **members, "StepStatus": status, "EndTime": now()})


def stop_jobs(cloud: Cloud, arn: str, stop: Callable[[str, str], None]) -> None:
    """Call `stop` with the step type and job name of every step that runs a job, and show those steps as stopping."""
    running: list[tuple[str, str]] = []

    def apply(body: Body) -> Body:
        running.clear()
        steps = {}
        for name, record in body["_steps"].items():
            if record["StepStatus"] not in ENDED and "_job" in record:
                running.append((record["_job"]["type"], record["_job"]["name"]))
                record = {**record, "StepStatus": STOPPING}
            steps[name] = record
        return {**body, "_steps": steps}

    cloud.store.update(KIND, arn, apply)
    for step_type, name in running:
        stop(step_type, name)


def earlier_result(
    cloud: Cloud, pipeline_arn: str, step: str, key: str, at: datetime, expire_after: timedelta | None
) -> tuple[str, Body] | None:
    """The latest success of a step with this cache key, if not too old: its execution's ARN and its record."""
    found: list[tuple[datetime, str, Body]] = []
    for execution in of_pipeline(cloud, pipeline_arn):
        record = execution["_steps"].get(step)
        if record is None or record["StepStatus"] != SUCCEEDED or record.get("_cache_key") != key:
            continue
        # What was itself taken from the cache is as old as its source, which is looked at on its own.
        if "CacheHitResult" in record or (expire_after is not None and record["EndTime"] + expire_after < at):
            continue
        found.append((record["EndTime"], execution["PipelineExecutionArn"], record))
    if not found:
        return None
    _, arn, record = max(found, key=lambda item: item[0])
    return arn, record


def variables(execution: Body) -> dict[str, str]:
    """What `Execution.X` stands for: https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-variables.html"""
    arn = execution["PipelineExecutionArn"]
    return {
        "PipelineName": execution["_pipeline"],
        "PipelineArn": execution["PipelineArn"],
        "PipelineExecutionId": arn.rpartition("/")[2],
        "PipelineExecutionArn": arn,
        "StartDateTime": execution["CreationTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "CurrentDateTime": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
