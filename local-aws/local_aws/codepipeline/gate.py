"""The door of each stage: who may enter it, who waits before it, and who is superseded while waiting.

SUPERSEDED  one execution in a stage; of those that wait before it only the newest stays
QUEUED      one execution in a stage; those that wait enter in the order they arrived
PARALLEL    executions know nothing of one another
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import functools

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, execution_record
from local_aws.codepipeline.declaration import PARALLEL, SUPERSEDED
from local_aws.codepipeline.execution_record import IN_PROGRESS
from local_aws.store import Body, now


def arrive(body: Body, stage: str) -> Body:
    """The row of an execution that now waits before a stage."""
    return {**body, "_position": stage, "_inside": False, "_arrived": now()}


def enter(body: Body, stage: str) -> Body:
    """The row of an execution that is now in a stage."""
    entered = {**body, "_position": stage, "_inside": True}
    return execution_record.change_stage(entered, stage, status=IN_PROGRESS, started=now(), attempt=1, actions={})


def is_occupied(executions: list[Body], stage: str) -> bool:
    """Whether an execution that locks its stages is in this one."""
    return any(
        body["_inside"] and body["_position"] == stage and body["executionMode"] != PARALLEL
        for body in executions
        if execution_record.is_active(body)
    )


def settle(cloud: Cloud, pipeline: str) -> None:
    """Let in all that may enter their stages now, and end those that are superseded.

    To be called whenever an execution arrived or left, or a transition was opened; those concerned find it in their
    rows.
    """
    with cloud.store.transaction():
        row = cloud.store.find(definitions.KIND, pipeline)
        if row is None:
            return
        rows = execution_record.active_of(cloud, pipeline)
        waiting = [body for body in rows if body["status"] == IN_PROGRESS and not body["_inside"]]
        for stage in dict.fromkeys(body["_position"] for body in waiting):
            before = _superseded(cloud, [body for body in waiting if body["_position"] == stage])
            if not definitions.transition(row, stage)["enabled"]:
                continue
            alone = [body for body in before if body["executionMode"] != PARALLEL]
            free = alone and not is_occupied(rows, stage)
            first = [min(alone, key=lambda body: body["_arrived"])] if free else []
            for body in [*first, *(body for body in before if body["executionMode"] == PARALLEL)]:
                execution_record.change(cloud, body["pipelineExecutionId"], functools.partial(enter, stage=stage))


def _superseded(cloud: Cloud, waiting: list[Body]) -> list[Body]:
    """Those that go on waiting when all that wait in SUPERSEDED mode but the newest have been ended."""
    replaceable = [body for body in waiting if body["executionMode"] == SUPERSEDED]
    for body in replaceable[:-1]:
        summary = f"Superseded by the newer execution {replaceable[-1]['pipelineExecutionId']}"
        execution_record.change(
            cloud,
            body["pipelineExecutionId"],
            functools.partial(execution_record.ended, status=execution_record.SUPERSEDED, summary=summary),
        )
    return [body for body in waiting if body not in replaceable[:-1]]
