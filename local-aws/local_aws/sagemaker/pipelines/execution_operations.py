"""Executions of pipelines: start, stop, retry, and look at them and their steps.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartPipelineExecution.html and its siblings.
"""

from __future__ import annotations

import random
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.lifecycle import on_start
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import execution_role, listing
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.definition import read_definition
from local_aws.sagemaker.pipelines.executor import execute, request_stop
from local_aws.sagemaker.pipelines.expressions import Scope, evaluate
from local_aws.sagemaker.pipelines.job_names import execution_id
from local_aws.sagemaker.pipelines.operations import find, latest_version, refuse, version_of, within_times
from local_aws.sagemaker.pipelines.parameters import as_text, values_for
from local_aws.sagemaker.pipelines.schedule import FAILED, STOPPED, SUCCEEDED
from local_aws.store import Body, now

_INTERRUPTED = "InternalServerError: the local cloud went down while this was executing."
_RETRIABLE = (FAILED, STOPPED, "CompletedWithFailures")
_STEP_MEMBERS = (
    "StepName",
    "StepDisplayName",
    "StepDescription",
    "StartTime",
    "EndTime",
    "StepStatus",
    "CacheHitResult",
    "FailureReason",
    "Metadata",
    "AttemptCount",
)


@SAGEMAKER.operation("StartPipelineExecution")
def start_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Start an execution; a second request with the same token answers the execution that the first one started."""
    refuse(request, "SelectiveExecutionConfig", "PipelineVersionAlias", "MlflowExperimentName")
    token = request["ClientRequestToken"]
    with cloud.store.transaction():
        pipeline = find(cloud, request["PipelineName"])
        arn = pipeline["PipelineArn"]
        execution_role.check(cloud, request.get("RoleArn") or pipeline["RoleArn"], arn)
        for earlier in executions.of_pipeline(cloud, arn):
            if earlier["_start_token"] == token:
                return {"PipelineExecutionArn": earlier["PipelineExecutionArn"]}
        version = request.get("PipelineVersionId", latest_version(cloud, arn))
        definition = read_definition(version_of(cloud, arn, version)["_definition"])
        parameters = values_for(definition.parameters, request.get("PipelineParameters", []))
        at = now()
        execution_arn = f"{arn}/execution/{execution_id(random.SystemRandom())}"
        body: Body = {
            "PipelineArn": arn,
            "PipelineExecutionArn": execution_arn,
            "PipelineExecutionDisplayName": request.get(
                "PipelineExecutionDisplayName", f"execution-{int(at.timestamp() * 1000)}"
            ),
            "PipelineExecutionStatus": executions.EXECUTING,
            "CreationTime": at,
            "LastModifiedTime": at,
            "CreatedBy": {},
            "LastModifiedBy": {},
            "PipelineVersionId": version,
            "RoleArn": request.get("RoleArn", pipeline["RoleArn"]),
            "_pipeline": pipeline["PipelineName"],
            "_parameters": parameters,
            "_steps": {},
            "_attempts": {},
            "_start_token": token,
            "_tokens": [],
        }
        parallelism = request.get("ParallelismConfiguration", pipeline.get("ParallelismConfiguration"))
        if parallelism:
            body["ParallelismConfiguration"] = parallelism
        if "PipelineExecutionDescription" in request:
            body["PipelineExecutionDescription"] = request["PipelineExecutionDescription"]
        if definition.experiment:
            scope = Scope(parameters, executions.variables(body), {}, lambda *_: "", lambda _: "")
            names = evaluate(definition.experiment, scope)
            body["PipelineExperimentConfig"] = {member: as_text(name).lower() for member, name in names.items()}
        cloud.store.create(executions.KIND, execution_arn, body)
    execute(cloud, execution_arn)
    return {"PipelineExecutionArn": execution_arn}


@SAGEMAKER.operation("StopPipelineExecution")
def stop_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Start no more steps, and stop the jobs of those that run."""
    arn, token = request["PipelineExecutionArn"], request["ClientRequestToken"]
    with cloud.store.transaction():
        body = executions.find(cloud, arn)
        if token in body["_tokens"]:
            return {"PipelineExecutionArn": arn}
        if not executions.is_executing(body):
            raise validation_error(
                "Only pipelines with 'Executing' status can be stopped. "
                f"The pipeline execution has the status {body['PipelineExecutionStatus']}."
            )
        changes = {"PipelineExecutionStatus": executions.STOPPING, "_tokens": [*body["_tokens"], token]}
        cloud.store.update(executions.KIND, arn, {**changes, "LastModifiedTime": now()})
    request_stop(cloud, arn)
    return {"PipelineExecutionArn": arn}


@SAGEMAKER.operation("RetryPipelineExecution")
def retry_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Carry on a failed or stopped execution: steps that succeeded keep their results, the others run."""
    arn, token = request["PipelineExecutionArn"], request["ClientRequestToken"]

    def resumed(body: Body) -> Body:
        kept = {name: record for name, record in body["_steps"].items() if record["StepStatus"] == SUCCEEDED}
        attempts = {name: record.get("AttemptCount", 0) for name, record in body["_steps"].items() if name not in kept}
        changed = {
            **body,
            "PipelineExecutionStatus": executions.EXECUTING,
            "LastModifiedTime": now(),
            "_steps": kept,
            "_attempts": {**body["_attempts"], **attempts},
            "_tokens": [*body["_tokens"], token],
        }
        changed.pop("FailureReason", None)
        if "ParallelismConfiguration" in request:
            changed["ParallelismConfiguration"] = request["ParallelismConfiguration"]
        return changed

    with cloud.store.transaction():
        body = executions.find(cloud, arn)
        if token in body["_tokens"]:
            return {"PipelineExecutionArn": arn}
        if body["PipelineExecutionStatus"] not in _RETRIABLE:
            raise validation_error(
                "Only pipelines with 'Failed' or 'Stopped' status can be retried. "
                f"The pipeline execution has the status {body['PipelineExecutionStatus']}."
            )
        cloud.store.update(executions.KIND, arn, resumed)
    execute(cloud, arn)
    return {"PipelineExecutionArn": arn}


@SAGEMAKER.operation("UpdatePipelineExecution")
def update_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Change how an execution is called, described, or how many of its steps may run at once."""
    arn = request["PipelineExecutionArn"]
    members = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
    with cloud.store.transaction():
        executions.find(cloud, arn)
        changes = {member: request[member] for member in members if member in request}
        cloud.store.update(executions.KIND, arn, {**changes, "LastModifiedTime": now()})
    return {"PipelineExecutionArn": arn}


@SAGEMAKER.operation("DescribePipelineExecution")
def describe_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """An execution's state."""
    body = executions.find(cloud, request["PipelineExecutionArn"])
    return {name: value for name, value in body.items() if not name.startswith("_")}


@SAGEMAKER.operation("DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The definition an execution carries out, which may not be the pipeline's latest."""
    body = executions.find(cloud, request["PipelineExecutionArn"])
    return {"PipelineDefinition": executions.definition_text(cloud, body), "CreationTime": body["CreationTime"]}


@SAGEMAKER.operation("ListPipelineExecutions")
def list_pipeline_executions(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of a pipeline's executions."""
    refuse(request, "PipelineVersionAlias")
    arn = find(cloud, request["PipelineName"])["PipelineArn"]
    bodies = executions.of_pipeline(cloud, arn)
    rows, token = listing.page(bodies, within_times(request), name_key="PipelineExecutionArn")
    return listing.answer("PipelineExecutionSummaries", [_summary(row) for row in rows], token)


@SAGEMAKER.operation("ListPipelineExecutionSteps")
def list_pipeline_execution_steps(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The steps of an execution that were started, the latest first."""
    if "PipelineExecutionArn" not in request:
        raise validation_error("PipelineExecutionArn must be given.")
    records = executions.find(cloud, request["PipelineExecutionArn"])["_steps"].values()
    rows, token = listing.page(records, request, name_key="StepName", default_sort="StartTime")
    shown = [{name: row[name] for name in _STEP_MEMBERS if name in row} for row in rows]
    return listing.answer("PipelineExecutionSteps", shown, token)


@SAGEMAKER.operation("ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The values of an execution's parameters, defaults included."""
    values = executions.find(cloud, request["PipelineExecutionArn"])["_parameters"]
    pairs = [{"Name": name, "Value": as_text(value)} for name, value in values.items()]
    rows, token = listing.page(pairs, request, name_key="Name", default_sort="Name", default_order="Ascending")
    return listing.answer("PipelineParameters", rows, token)


@on_start
def fail_the_interrupted(cloud: Cloud) -> None:
    """Executions that ran when the cloud went down have failed; RetryPipelineExecution carries them on."""

    def failed(body: Body) -> Body:
        stopping = body["PipelineExecutionStatus"] == executions.STOPPING
        ended = {"StepStatus": FAILED, "EndTime": now(), "FailureReason": _INTERRUPTED}
        steps = {
            name: record if record["StepStatus"] in executions.ENDED else {**record, **ended}
            for name, record in body["_steps"].items()
        }
        result = {**body, "_steps": steps, "LastModifiedTime": now()}
        if stopping:
            return {**result, "PipelineExecutionStatus": STOPPED}
        return {**result, "PipelineExecutionStatus": FAILED, "FailureReason": _INTERRUPTED}

    for body in cloud.store.all(executions.KIND):
        if body["PipelineExecutionStatus"] in (executions.EXECUTING, executions.STOPPING):
            cloud.store.update(executions.KIND, body["PipelineExecutionArn"], failed)


def _summary(body: Body) -> Body:
    names = {
        "PipelineExecutionArn": "PipelineExecutionArn",
        "CreationTime": "StartTime",
        "PipelineExecutionStatus": "PipelineExecutionStatus",
        "PipelineExecutionDescription": "PipelineExecutionDescription",
        "PipelineExecutionDisplayName": "PipelineExecutionDisplayName",
        "FailureReason": "PipelineExecutionFailureReason",
    }
    return {shown: body[name] for name, shown in names.items() if name in body}
