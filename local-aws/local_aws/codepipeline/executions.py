"""Starting and stopping executions, and running a stage of one again or back."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from local_aws.cloud import Cloud
from local_aws.codepipeline import (
    action_run,
    definitions,
    execution_record,
    execution_run,
    gate,
    retries,
    rollback,
    state_events,
)
from local_aws.codepipeline.declaration import SUPERSEDED, Pipeline
from local_aws.codepipeline.execution_record import ABANDONED, KIND, STOPPED, STOPPING
from local_aws.codepipeline.new_execution import new_row
from local_aws.errors import AwsError, validation_error
from local_aws.store import Body, now

_MOST_AT_ONCE = 50


def start(
    cloud: Cloud,
    pipeline_name: str,
    trigger_type: str,
    trigger_detail: str,
    variables: Mapping[str, str] | None = None,
    revisions: Mapping[str, str] | None = None,
) -> str:
    """Begin an execution; its id.

    `trigger_type` is one of the API's (Webhook, CloudWatchEvent, StartPipelineExecution, ...), `variables` override
    the defaults of the pipeline's, `revisions` are the commits that source actions are to take, by action name.
    Raises `AwsError` (PipelineNotFoundException, ValidationException,
    ConcurrentPipelineExecutionsLimitExceededException).
    """
    with cloud.store.transaction():
        pipeline = definitions.newest(cloud, pipeline_name)
        _check_room(cloud, pipeline)
        _check_revisions(pipeline, revisions or {})
        row = {
            **new_row(pipeline.name, pipeline.version, pipeline.execution_mode, trigger_type, trigger_detail),
            "variables": [
                {"name": name, "resolvedValue": value} for name, value in _resolved(pipeline, variables or {}).items()
            ],
            "_revisions": dict(revisions or {}),
        }
        execution_id = execution_record.enter(cloud, gate.arrive(row, pipeline.stages[0].name))
        gate.settle(cloud, pipeline.name)
    execution_run.launch(cloud, execution_id)
    return execution_id


def _check_room(cloud: Cloud, pipeline: Pipeline) -> None:
    active = execution_record.active_of(cloud, pipeline.name)
    if pipeline.execution_mode != SUPERSEDED and len(active) >= _MOST_AT_ONCE:
        raise AwsError(
            "ConcurrentPipelineExecutionsLimitExceededException",
            f"Pipeline '{pipeline.name}' has {len(active)} executions in progress, at most {_MOST_AT_ONCE} may be",
        )


def _check_revisions(pipeline: Pipeline, revisions: Mapping[str, str]) -> None:
    sources = [action.name for action in pipeline.sources]
    for name in revisions:
        if name not in sources:
            raise validation_error(
                f"Source revision for '{name}': pipeline '{pipeline.name}' has the source actions {', '.join(sources)}"
            )


def _resolved(pipeline: Pipeline, given: Mapping[str, str]) -> dict[str, str]:
    for name in given:
        if name not in pipeline.variables:
            declared = ", ".join(pipeline.variables) or "none"
            raise validation_error(
                f"Variable '{name}' is not declared: pipeline '{pipeline.name}' has the variables {declared}"
            )
    resolved = {}
    for name, default in pipeline.variables.items():
        value = given.get(name, default)
        if value is None:
            raise validation_error(f"Variable '{name}' of pipeline '{pipeline.name}' has no default: give it a value")
        resolved[name] = value
    return resolved


def stop(cloud: Cloud, pipeline: str, execution_id: str, reason: str, abandon: bool) -> None:
    """Have an execution end after its running actions, or at once and without them.

    What abandoned actions began goes on: a build or a stack's update is left to CodeBuild and CloudFormation. To
    abandon without a reason keeps that of an earlier stop.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
    Raises `AwsError` (PipelineExecutionNotFoundException, PipelineExecutionNotStoppableException,
    DuplicatedStopRequestException).
    """
    given_up: list[str] = []
    with cloud.store.transaction():
        body = execution_record.find(cloud, pipeline, execution_id)
        if not execution_record.is_active(body):
            raise AwsError(
                "PipelineExecutionNotStoppableException",
                f"Execution {execution_id} of pipeline '{pipeline}' is {body['status']}: it cannot be stopped",
            )
        if body["status"] == STOPPING and (not abandon or body["_stop"]["abandon"]):
            raise AwsError(
                "DuplicatedStopRequestException", f"Execution {execution_id} of pipeline '{pipeline}' is Stopping"
            )
        kept = reason or body.get("_stop", {}).get("reason", "")
        body = {**body, "status": STOPPING, "_stop": {"reason": kept, "abandon": abandon}}
        if not body["_inside"]:
            body = execution_record.ended(body, STOPPED, kept)
        elif abandon:
            given_up = [action["actionExecutionId"] for action in execution_record.running(body)]
            body = _abandoned(body, given_up)
        for action_id in given_up:
            action_run.give_up(action_id)
        execution_record.change(cloud, execution_id, lambda _: body)
        gate.settle(cloud, pipeline)
    if body["status"] == STOPPING:
        state_events.pipeline(cloud, body, "STOPPING")
    for action_id in given_up:
        state_events.action(cloud, body, action_id, "ABANDONED")


def _abandoned(body: Body, action_ids: list[str]) -> Body:
    actions = {
        action_id: {**action, "status": ABANDONED, "lastUpdateTime": now()} if action_id in action_ids else action
        for action_id, action in body["_actions"].items()
    }
    return {**body, "_actions": actions}


def cancel_all(cloud: Cloud, pipeline: str, summary: str) -> None:
    """End what is in progress because the pipeline it was started with is no more.

    Running builds and deployments end by themselves (one of them may be what changes the pipeline); nobody is asked
    for approval any more. The caller holds a transaction.
    """
    for body in execution_record.active_of(cloud, pipeline):
        asked = [
            action["actionExecutionId"]
            for action in execution_record.running(body)
            if action["input"]["actionTypeId"]["category"] == "Approval"
        ]
        for action_id in asked:
            action_run.give_up(action_id)
        body = _abandoned(body, asked)
        if body["_inside"]:
            body = execution_record.change_stage(body, body["_position"], status=execution_record.CANCELLED)
        cancelled = execution_record.ended(body, execution_record.CANCELLED, summary)
        execution_record.change(cloud, body["pipelineExecutionId"], functools.partial(_replace, by=cancelled))


def _replace(_: Body, by: Body) -> Body:
    return by


def forget_all(cloud: Cloud, pipeline: str) -> None:
    """Drop the executions of a pipeline that is deleted; their running actions are told that nobody waits for them."""
    with cloud.store.transaction():
        for body in execution_record.of_pipeline(cloud, pipeline):
            for action in execution_record.running(body):
                action_run.give_up(action["actionExecutionId"])
            cloud.store.delete(KIND, body["pipelineExecutionId"])
            if execution_record.is_active(body):
                cloud.store.delete(execution_record.ACTIVE_KIND, body["pipelineExecutionId"])


def retry_stage(cloud: Cloud, pipeline: str, stage: str, execution_id: str, mode: str) -> None:
    """Run the failed actions of a stage again (`mode` FAILED_ACTIONS), or all (ALL_ACTIONS); raises `AwsError`."""
    retries.retry(cloud, pipeline, stage, execution_id, mode)
    execution_run.launch(cloud, execution_id, "RESUMED")


def roll_back_stage(cloud: Cloud, pipeline: str, stage: str, target: str, who: str) -> str:
    """Return a stage to an earlier execution; the id of the execution that does it. Raises `AwsError`."""
    execution_id = rollback.roll_back(cloud, pipeline, stage, target, who)
    execution_run.launch(cloud, execution_id)
    return execution_id
