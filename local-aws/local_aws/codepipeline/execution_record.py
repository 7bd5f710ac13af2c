"""Executions as they are kept: one row each, with its way through the stages and every run of an action.

codepipeline_execution / <execution id>   `pipelineExecution` of the GetPipelineExecution response, and
    _started, _updated    times
    _position    the stage it is in, or waits before; None once it has ended
    _inside      whether it is in that stage (and has it locked) or waits before it
    _arrived     a number that grows with every arrival before a stage
    _only        whether it ends with this stage (a rollback)
    _attempt     how often it has been resumed, from 1 on
    _stages      {stage name: status, started, attempt, actions: {action name: action execution id}, retry: {...}}
    _actions     {action execution id: ActionExecutionDetail of ListActionExecutions, and its own private members}
    _artifacts   {artifact name: bucket, key, revision}
    _namespaces  {namespace: {variable: value}}
    _revisions   {source action name: commit it is told to take}
    _stop        {reason, abandon} once it was asked to stop
codepipeline_active / <execution id>      one row for each that has not ended: pipelineName
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions
from local_aws.codepipeline.declaration import Pipeline
from local_aws.codepipeline.refusals import no_execution
from local_aws.store import Body, now

KIND, ACTIVE_KIND = "codepipeline_execution", "codepipeline_active"
IN_PROGRESS, STOPPING, STOPPED = "InProgress", "Stopping", "Stopped"
SUCCEEDED, FAILED, SUPERSEDED, CANCELLED, ABANDONED = "Succeeded", "Failed", "Superseded", "Cancelled", "Abandoned"
STANDARD, ROLLBACK = "STANDARD", "ROLLBACK"
_LONGEST_MESSAGE = 5000
_LONGEST_SUMMARY = 2048


def find(cloud: Cloud, pipeline: str, execution_id: str) -> Body:
    """An execution of a pipeline; raises `AwsError` (PipelineExecutionNotFoundException)."""
    body = cloud.store.find(KIND, execution_id)
    if body is None or body["pipelineName"] != pipeline:
        raise no_execution(pipeline, execution_id)
    return body


def of_pipeline(cloud: Cloud, pipeline: str) -> list[Body]:
    """The executions of a pipeline, in the order they were started."""
    return cloud.store.all(KIND, {"pipelineName": pipeline})


def active_of(cloud: Cloud, pipeline: str) -> list[Body]:
    """Those of them that have not ended; found without reading the others, of which there may be many."""
    ids = [row["id"] for row in cloud.store.all(ACTIVE_KIND, {"pipelineName": pipeline})]
    found = [body for execution_id in ids if (body := cloud.store.find(KIND, execution_id)) is not None]
    return sorted(found, key=lambda body: body["_started"])


def enter(cloud: Cloud, body: Body) -> str:
    """Keep a new execution; its id."""
    execution_id = str(body["pipelineExecutionId"])
    with cloud.store.transaction():
        cloud.store.create(KIND, execution_id, body)
        cloud.store.put(ACTIVE_KIND, execution_id, {"id": execution_id, "pipelineName": body["pipelineName"]})
    return execution_id


def declared(cloud: Cloud, execution: Body) -> Pipeline:
    """The declaration that an execution was started with."""
    return definitions.at_version(cloud, execution["pipelineName"], execution["pipelineVersion"])


def is_active(execution: Body) -> bool:
    """Whether an execution has not ended."""
    return execution["status"] in (IN_PROGRESS, STOPPING)


def change(cloud: Cloud, execution_id: str, apply: Callable[[Body], Body | None]) -> Body:
    """Let a function rewrite the row of an execution; answers the row as it then is."""

    def stamped(body: Body) -> Body | None:
        changed = apply(body)
        return None if changed is None else {**changed, "_updated": now()}

    with cloud.store.transaction():
        before = is_active(cloud.store.get(KIND, execution_id))
        body = cloud.store.update(KIND, execution_id, stamped)
        if before and not is_active(body):
            cloud.store.delete(ACTIVE_KIND, execution_id)
        elif is_active(body) and not before:
            cloud.store.put(ACTIVE_KIND, execution_id, {"id": execution_id, "pipelineName": body["pipelineName"]})
    return body


def change_stage(body: Body, stage: str, **members: Any) -> Body:
    """A row with other members of one stage's record."""
    return {**body, "_stages": {**body["_stages"], stage: {**body["_stages"].get(stage, {}), **members}}}


def ended(body: Body, status: str, summary: str | None = None) -> Body:
    """A row of an execution that is over, with nothing locked and nothing waited for."""
    result = {**body, "status": status, "_position": None, "_inside": False}
    return {**result, "statusSummary": summary} if summary else result


def actions_of(body: Body, stage: str) -> dict[str, Body]:
    """The latest run of each action of a stage in this execution, by action name."""
    ids = body["_stages"].get(stage, {}).get("actions", {})
    return {name: body["_actions"][action_id] for name, action_id in ids.items()}


def running(body: Body) -> Iterator[Body]:
    """The actions that are in progress."""
    return (action for action in body["_actions"].values() if action["status"] == IN_PROGRESS)


def change_action(cloud: Cloud, execution_id: str, action_id: str, apply: Callable[[Body], Body]) -> bool:
    """Let a function rewrite the record of an action that is in progress; answers False where it is not any more."""
    done = False

    def rewrite(body: Body) -> Body | None:
        nonlocal done
        action = body["_actions"][action_id]
        if action["status"] != IN_PROGRESS:
            return None
        done = True
        return {**body, "_actions": {**body["_actions"], action_id: {**apply(action), "lastUpdateTime": now()}}}

    change(cloud, execution_id, rewrite)
    return done


def failed_action(action: Body, message: str, code: str) -> Body:
    """The record of an action that did not succeed."""
    output = action.get("output", {})
    result = {
        **output.get("executionResult", {}),
        "errorDetails": {"code": code, "message": message[:_LONGEST_MESSAGE]},
    }
    return {**action, "status": FAILED, "output": {**output, "executionResult": result}}


def with_result(action: Body, **members: str) -> Body:
    """A record with more members of its `executionResult`; empty ones are left out, long summaries are cut."""
    output = action.get("output", {})
    given = {name: value[:_LONGEST_SUMMARY] for name, value in members.items() if value}
    return {**action, "output": {**output, "executionResult": {**output.get("executionResult", {}), **given}}}


def shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """`pipelineExecution` of GetPipelineExecution."""
    return {name: value for name, value in body.items() if not name.startswith("_")}
