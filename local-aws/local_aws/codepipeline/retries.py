"""Running a failed stage again: by itself where the stage says so, or when somebody asks for it.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, execution_record, gate
from local_aws.codepipeline.declaration import PARALLEL, Stage
from local_aws.codepipeline.execution_record import FAILED, IN_PROGRESS, STOPPED, SUCCEEDED
from local_aws.errors import AwsError
from local_aws.store import Body, now

AUTOMATED, MANUAL = "AutomatedStageRetry", "ManualStageRetry"
_COUNTS = {AUTOMATED: "autoStageRetryAttempt", MANUAL: "manualStageRetryAttempt"}


def may_retry_by_itself(body: Body, stage: Stage) -> bool:
    """Whether a stage that has just failed is to run again: one automatic attempt is allowed."""
    retried = body["_stages"][stage.name].get("retry", {})
    return stage.on_failure == "RETRY" and _COUNTS[AUTOMATED] not in retried


def again(body: Body, stage: Stage, mode: str, trigger: str) -> Body:
    """The row of an execution that is in a stage once more, with the actions forgotten that are to run again."""
    record = body["_stages"][stage.name]
    kept = {
        name: action_id
        for name, action_id in record["actions"].items()
        if mode == "FAILED_ACTIONS" and body["_actions"][action_id]["status"] == SUCCEEDED
    }
    retry = record.get("retry", {})
    count = _COUNTS[trigger]
    back = {**body, "_position": stage.name, "_inside": True, "status": IN_PROGRESS}
    back.pop("statusSummary", None)
    return execution_record.change_stage(
        back,
        stage.name,
        status=IN_PROGRESS,
        started=now(),
        attempt=record["attempt"] + 1,
        actions=kept,
        retry={**retry, count: retry.get(count, 0) + 1, "latestRetryTrigger": trigger},
    )


def retry(cloud: Cloud, pipeline: str, stage_name: str, execution_id: str, mode: str) -> None:
    """Put an ended execution back into the stage it failed in.

    Raises `AwsError` (StageNotFoundException, StageNotRetryableException, NotLatestPipelineExecutionException,
    ConflictException).
    """
    with cloud.store.transaction():
        stage = definitions.stage_of(cloud, pipeline, stage_name)
        body = execution_record.find(cloud, pipeline, execution_id)
        version = definitions.find(cloud, pipeline)["pipeline"]["version"]
        refusal = _refusal(body, stage, version)
        if refusal:
            raise AwsError("StageNotRetryableException", f"Stage {stage_name} cannot be retried: {refusal}")
        if body["executionMode"] != PARALLEL:
            _check_latest(execution_record.of_pipeline(cloud, pipeline), body, stage)

        def resume(found: Body) -> Body:
            resumed = again(found, stage, mode, MANUAL)
            resumed.pop("_stop", None)
            return {**resumed, "_attempt": found["_attempt"] + 1}

        execution_record.change(cloud, execution_id, resume)


def _refusal(body: Body, stage: Stage, version: int) -> str | None:
    record: dict[str, Any] = body["_stages"].get(stage.name, {})
    if body["pipelineVersion"] != version:
        return (
            f"the pipeline is at version {version} now, and the execution was started with version "
            f"{body['pipelineVersion']}"
        )
    if execution_record.is_active(body):
        return f"the execution is {body['status']}"
    if record.get("status") not in (FAILED, STOPPED):
        return f"it did not fail in this execution, but is {record.get('status', 'not reached')}"
    statuses = {action["status"] for action in execution_record.actions_of(body, stage.name).values()}
    if not statuses & {FAILED, execution_record.ABANDONED} and record["status"] == FAILED:
        return "it contains no failed actions"
    return None


def _check_latest(executions: list[Body], body: Body, stage: Stage) -> None:
    mine = body["_stages"][stage.name]["started"]
    for other in executions:
        entered = other["_stages"].get(stage.name)
        if other["pipelineExecutionId"] != body["pipelineExecutionId"] and entered and entered["started"] > mine:
            raise AwsError(
                "NotLatestPipelineExecutionException",
                f"Execution {body['pipelineExecutionId']} is out of date: execution {other['pipelineExecutionId']} has "
                f"entered stage {stage.name} since",
            )
    if gate.is_occupied(executions, stage.name):
        raise AwsError("ConflictException", f"Stage {stage.name} is busy with another execution. Try again later.")
