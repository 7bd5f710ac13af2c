"""A stage with an execution in it: its actions in their order, those of the same run order together."""

from __future__ import annotations

import functools
from datetime import timedelta

from local_aws.cloud import Cloud
from local_aws.codepipeline import action_run, execution_record, state_events
from local_aws.codepipeline.declaration import Action, Pipeline, Stage
from local_aws.codepipeline.execution_record import FAILED, IN_PROGRESS, STOPPED, SUCCEEDED
from local_aws.store import Body, now


class StageRun:
    """One attempt at a stage; actions that have succeeded in it are not run again."""

    def __init__(self, cloud: Cloud, execution_id: str, pipeline: Pipeline, stage: Stage) -> None:
        self._cloud = cloud
        self._execution_id = execution_id
        self._pipeline = pipeline
        self._stage = stage

    def run(self) -> str:
        """Run what is left of the stage; how it ended: Succeeded, Failed or Stopped.

        An execution that was asked to stop starts nothing more, but waits for what runs: after a restart that may be
        an approval of any group. https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html
        """
        for group in self._stage.groups:
            for action in group:
                self._start(action)
            records = self._ended([action.name for action in group])
            if self._goes_on() and any(record["status"] == FAILED for record in records):
                return FAILED
        return SUCCEEDED if self._goes_on() else STOPPED

    def _goes_on(self) -> bool:
        return bool(self._body()["status"] == IN_PROGRESS)

    def _body(self) -> Body:
        return self._cloud.store.get(execution_record.KIND, self._execution_id)

    def _start(self, action: Action) -> None:
        record = execution_record.actions_of(self._body(), self._stage.name).get(action.name)
        if record is None:
            action_run.begin(self._cloud, self._execution_id, self._pipeline, self._stage, action)
        elif record["status"] == IN_PROGRESS:
            action_run.carry_on(self._cloud, self._execution_id, self._pipeline, action, record["actionExecutionId"])

    def _ended(self, names: list[str]) -> list[Body]:
        """Wait until none of these actions is in progress, or the execution is over; their records."""

        def started(body: Body) -> list[Body]:
            records = execution_record.actions_of(body, self._stage.name)
            return [records[name] for name in names if name in records]

        def settled(body: Body) -> bool:
            return not execution_record.is_active(body) or all(
                record["status"] != IN_PROGRESS for record in started(body)
            )

        while True:
            body = self._body()
            records = started(body)
            running = [record for record in records if record["status"] == IN_PROGRESS]
            if settled(body):
                return records
            left = min(_deadline_seconds(record) for record in running)
            self._cloud.store.wait(execution_record.KIND, self._execution_id, settled, timeout=max(0.0, left))
            for record in running:
                if _deadline_seconds(record) <= 0:
                    self._expire(record)

    def _expire(self, record: Body) -> None:
        minutes = int(record["_minutes"])
        if record["input"]["actionTypeId"]["category"] == "Approval":
            message = f"The approval was neither given nor rejected within {minutes} minutes."
        else:
            message = f"The action did not complete within {minutes} minutes."
        action_id = record["actionExecutionId"]
        expired = functools.partial(execution_record.failed_action, message=message, code="ActionTimeout")
        # As one: the action's own thread, told to give up, must find in the row why.
        with self._cloud.store.transaction():
            action_run.give_up(action_id)
            is_new = execution_record.change_action(self._cloud, self._execution_id, action_id, expired)
        if is_new:
            state_events.action(self._cloud, self._body(), action_id, "FAILED")


def _deadline_seconds(record: Body) -> float:
    """How long an action may still run."""
    return (record["startTime"] + timedelta(minutes=record["_minutes"]) - now()).total_seconds()
