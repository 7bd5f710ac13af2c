"""GetPipelineState: for each stage who is in it, who waits before it, and how its actions stand.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineState.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import declaration, definitions, execution_record
from local_aws.codepipeline.declaration import Action, Stage
from local_aws.codepipeline.execution_record import IN_PROGRESS, STOPPING
from local_aws.operations import CODEPIPELINE
from local_aws.store import Body


@CODEPIPELINE.operation("GetPipelineState")
def get_pipeline_state(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The pipeline as it stands now, by its newest declaration."""
    row = definitions.find(cloud, request["name"])
    pipeline = declaration.read(row["pipeline"])
    executions = execution_record.of_pipeline(cloud, pipeline.name)
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.version,
        "stageStates": [_stage(row, stage, executions) for stage in pipeline.stages],
        "created": row["metadata"]["created"],
        "updated": row["metadata"]["updated"],
    }


def _stage(row: Body, stage: Stage, executions: list[Body]) -> dict[str, Any]:
    waiting = [
        body
        for body in executions
        if execution_record.is_active(body) and not body["_inside"] and body["_position"] == stage.name
    ]
    shown: dict[str, Any] = {
        "stageName": stage.name,
        "inboundExecutions": [_execution(body, body["status"]) for body in waiting],
        "inboundTransitionState": definitions.transition(row, stage.name),
    }
    if waiting:
        shown["inboundExecution"] = _execution(waiting[-1], waiting[-1]["status"])
    entered = [body for body in executions if stage.name in body["_stages"]]
    entered.sort(key=lambda body: body["_stages"][stage.name]["started"])
    if entered:
        latest = entered[-1]
        record = latest["_stages"][stage.name]
        in_it = latest["status"] == STOPPING and record["status"] == IN_PROGRESS
        shown["latestExecution"] = _execution(latest, STOPPING if in_it else record["status"])
        if record.get("retry"):
            shown["retryStageMetadata"] = record["retry"]
    shown["actionStates"] = [_action(stage, action, entered) for action in stage.actions]
    return shown


def _execution(body: Body, status: str) -> dict[str, Any]:
    return {
        "pipelineExecutionId": body["pipelineExecutionId"],
        "status": status,
        "type": body["executionType"],
    }


def _action(stage: Stage, action: Action, entered: list[Body]) -> dict[str, Any]:
    shown: dict[str, Any] = {"actionName": action.name}
    records = [
        (body, record)
        for body in entered
        if (record := execution_record.actions_of(body, stage.name).get(action.name)) is not None
    ]
    if not records:
        return shown
    body, record = records[-1]
    shown["latestExecution"] = _latest(record)
    revision = body["_source_revisions"].get(action.name)
    if revision and "revisionId" in revision:
        shown["currentRevision"] = {
            "revisionId": revision["revisionId"],
            "revisionChangeId": revision["revisionId"][:100],
            "created": record["lastUpdateTime"],
        }
        if "revisionUrl" in revision:
            shown["revisionUrl"] = revision["revisionUrl"]
    entity = _entity(record)
    return {**shown, "entityUrl": entity} if entity else shown


def _latest(record: Body) -> dict[str, Any]:
    """An action's `latestExecution`."""
    result = record["output"].get("executionResult", {})
    shown = {
        "actionExecutionId": record["actionExecutionId"],
        "status": record["status"],
        "summary": result.get("externalExecutionSummary"),
        "lastStatusChange": record["lastUpdateTime"],
        "token": record.get("_token") if record["status"] == IN_PROGRESS else None,
        "lastUpdatedBy": record.get("updatedBy"),
        "externalExecutionId": result.get("externalExecutionId"),
        "externalExecutionUrl": result.get("externalExecutionUrl"),
        "percentComplete": record.get("_percentComplete"),
        "errorDetails": result.get("errorDetails"),
    }
    return {name: value for name, value in shown.items() if value not in (None, "")}


def _entity(record: Body) -> str:
    """Where to look at what an action works on."""
    configuration = record["input"]["resolvedConfiguration"]
    if record["input"]["actionTypeId"]["category"] == "Approval":
        return str(configuration.get("ExternalEntityLink", ""))
    return ""
