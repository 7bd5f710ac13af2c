"""The history of a pipeline: its executions, the runs of actions in them, and the action types there are."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import action_types, definitions, execution_record, paging
from local_aws.codepipeline.execution_record import SUCCEEDED
from local_aws.operations import CODEPIPELINE
from local_aws.store import Body

_MOST = 100
_MOST_ARTIFACTS = 5
_SHOWN = ("pipelineExecutionId", "status", "statusSummary", "trigger", "executionMode", "executionType")


@CODEPIPELINE.operation("ListPipelineExecutions")
def list_pipeline_executions(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The executions of a pipeline, newest first; those alone that have succeeded in a stage, where asked."""
    name = request["pipelineName"]
    definitions.find(cloud, name)
    stage = request.get("filter", {}).get("succeededInStage", {}).get("stageName")
    if stage is not None:
        definitions.stage_of(cloud, name, stage)
    rows = [
        _summary(body)
        for body in reversed(execution_record.of_pipeline(cloud, name))
        if stage is None or body["_stages"].get(stage, {}).get("status") == SUCCEEDED
    ]
    return paging.page("pipelineExecutionSummaries", rows, request, _MOST)


def _summary(body: Body) -> dict[str, Any]:
    sources = [{"actionName": name, **revision} for name, revision in body["_source_revisions"].items()]
    shown = {name: body[name] for name in (*_SHOWN, "rollbackMetadata") if name in body}
    if "_stop" in body:
        shown["stopTrigger"] = {"reason": body["_stop"]["reason"]}
    return {**shown, "startTime": body["_started"], "lastUpdateTime": body["_updated"], "sourceRevisions": sources}


@CODEPIPELINE.operation("ListActionExecutions")
def list_action_executions(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The runs of a pipeline's actions, or of one execution's, newest first."""
    name = request["pipelineName"]
    definitions.find(cloud, name)
    asked = request.get("filter", {})
    latest = asked.get("latestInPipelineExecution")
    execution_id = latest["pipelineExecutionId"] if latest else asked.get("pipelineExecutionId")
    if execution_id is None:
        found = execution_record.of_pipeline(cloud, name)
    else:
        found = [execution_record.find(cloud, name, execution_id)]
    rows = [
        _detail(action)
        for body in found
        for action in body["_actions"].values()
        if latest is None or latest["startTimeRange"] == "All" or _is_current(body, action)
    ]
    rows.sort(key=lambda row: row["startTime"], reverse=True)
    return paging.page("actionExecutionDetails", rows, request, _MOST)


def _is_current(body: Body, action: Body) -> bool:
    """Whether a run of an action is its latest in the execution, and not one that was retried since."""
    current = body["_stages"][action["stageName"]]["actions"].get(action["actionName"])
    return bool(current == action["actionExecutionId"])


def _detail(action: Body) -> dict[str, Any]:
    return {name: value for name, value in action.items() if not name.startswith("_")}


@CODEPIPELINE.operation("ListActionTypes")
def list_action_types(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The action types that are carried out here."""
    rows = []
    for kind in action_types.shown():
        inputs, outputs = action_types.artifact_bounds(kind)
        # The API's own limit is older than the action types that take more.
        inputs = (inputs[0], min(inputs[1], _MOST_ARTIFACTS))
        rows.append(
            {
                "id": kind.shown,
                "inputArtifactDetails": {"minimumCount": inputs[0], "maximumCount": inputs[1]},
                "outputArtifactDetails": {"minimumCount": outputs[0], "maximumCount": outputs[1]},
            }
        )
    if request.get("actionOwnerFilter", "AWS") != "AWS":
        rows = []
    return paging.page("actionTypes", rows, request, _MOST)
