"""The requests that start, stop, retry and roll back executions."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, execution_record, executions, tags
from local_aws.errors import validation_error
from local_aws.operations import CODEPIPELINE
from local_aws.store import Body

_COMMIT = "COMMIT_ID"
_TOKENS = "codepipeline_token"


@CODEPIPELINE.operation("StartPipelineExecution")
def start_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Begin an execution; asked again with the same clientRequestToken, the one that has begun already."""
    name, token = request["name"], request.get("clientRequestToken")
    revisions = {}
    for revision in request.get("sourceRevisions", []):
        if revision["revisionType"] != _COMMIT:
            raise validation_error(
                f"Source revision of '{revision['actionName']}' is of type {revision['revisionType']}: the source "
                f"actions of local-aws take {_COMMIT}"
            )
        revisions[revision["actionName"]] = revision["revisionValue"]
    with cloud.store.transaction():
        definitions.find(cloud, name)
        earlier = cloud.store.find(_TOKENS, f"{name}/{token}")
        if earlier is not None and cloud.store.find(execution_record.KIND, earlier["id"]) is not None:
            return {"pipelineExecutionId": earlier["id"]}
        given = {item["name"]: item["value"] for item in request.get("variables", [])}
        execution_id = executions.start(cloud, name, "StartPipelineExecution", tags.caller(cloud), given, revisions)
        if token:
            cloud.store.put(_TOKENS, f"{name}/{token}", {"id": execution_id})
    return {"pipelineExecutionId": execution_id}


@CODEPIPELINE.operation("StopPipelineExecution")
def stop_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Have an execution end after its running actions, or (abandon) without them."""
    name, execution_id = request["pipelineName"], request["pipelineExecutionId"]
    definitions.find(cloud, name)
    executions.stop(cloud, name, execution_id, request.get("reason", ""), bool(request.get("abandon")))
    return {"pipelineExecutionId": execution_id}


@CODEPIPELINE.operation("RetryStageExecution")
def retry_stage_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Run a failed stage again, within the same execution."""
    name, execution_id = request["pipelineName"], request["pipelineExecutionId"]
    executions.retry_stage(cloud, name, request["stageName"], execution_id, request["retryMode"])
    return {"pipelineExecutionId": execution_id}


@CODEPIPELINE.operation("RollbackStage")
def rollback_stage(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Return a stage to an execution that succeeded in it, by an execution of its own."""
    name, target = request["pipelineName"], request["targetPipelineExecutionId"]
    return {
        "pipelineExecutionId": executions.roll_back_stage(cloud, name, request["stageName"], target, tags.caller(cloud))
    }


@CODEPIPELINE.operation("GetPipelineExecution")
def get_pipeline_execution(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """An execution, with the revisions of its sources and its variables."""
    definitions.find(cloud, request["pipelineName"])
    body: Body = execution_record.find(cloud, request["pipelineName"], request["pipelineExecutionId"])
    return {"pipelineExecution": execution_record.shown(body)}
