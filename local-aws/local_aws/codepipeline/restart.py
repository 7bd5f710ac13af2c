"""After a restart: what was running has failed, and who waited (for a person, or before a stage) goes on waiting."""

from __future__ import annotations

from local_aws.cloud import Cloud
from local_aws.codepipeline import execution_record, execution_run, gate
from local_aws.codepipeline.execution_record import FAILED, IN_PROGRESS, STOPPED, STOPPING
from local_aws.lifecycle import on_start
from local_aws.store import Body, now

_INTERRUPTED = "local-aws was stopped while this action was running."


@on_start
def close_interrupted(cloud: Cloud) -> None:
    """Fail the actions that were interrupted, and carry on the executions in which only a person was waited for."""
    pipelines = set()
    for body in cloud.store.all(execution_record.KIND):
        if not execution_record.is_active(body) and not list(execution_record.running(body)):
            continue
        pipelines.add(body["pipelineName"])
        body = execution_record.change(cloud, body["pipelineExecutionId"], _closed)
        if execution_record.is_active(body):
            execution_run.launch(cloud, body["pipelineExecutionId"], None)
    for name in pipelines:
        gate.settle(cloud, name)


def _closed(body: Body) -> Body:
    """A row without running actions but approvals; it has failed where it was inside of a stage and none is left."""
    actions = {action_id: _failed_if_interrupted(action) for action_id, action in body["_actions"].items()}
    body = {**body, "_actions": actions}
    if not body["_inside"] or not execution_record.is_active(body):
        return body
    stage = body["_position"]
    records = execution_record.actions_of(body, stage).values()
    if any(record["status"] == IN_PROGRESS for record in records):
        return body
    if body["status"] == STOPPING:
        body = execution_record.change_stage(body, stage, status=STOPPED)
        return execution_record.ended(body, STOPPED, body["_stop"]["reason"])
    body = execution_record.change_stage(body, stage, status=FAILED)
    return execution_record.ended(body, FAILED, f"local-aws was stopped while stage {stage} was running.")


def _failed_if_interrupted(action: Body) -> Body:
    if action["status"] != IN_PROGRESS or action["input"]["actionTypeId"]["category"] == "Approval":
        return action
    return {**execution_record.failed_action(action, _INTERRUPTED, "SystemUnavailable"), "lastUpdateTime": now()}
