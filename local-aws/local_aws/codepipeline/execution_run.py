"""The way of an execution through its pipeline: before each stage it waits to be let in, then the stage runs.

A stage that fails ends the execution, unless it is to be retried by itself; it may be rolled back, which is another
execution: https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
"""

from __future__ import annotations

import logging
import threading

from local_aws.cloud import Cloud
from local_aws.codepipeline import execution_record, gate, retries, rollback, state_events
from local_aws.codepipeline.actions import build_failure
from local_aws.codepipeline.declaration import Pipeline, Stage
from local_aws.codepipeline.execution_record import FAILED, KIND, STOPPED, STOPPING, SUCCEEDED
from local_aws.codepipeline.stage_run import StageRun
from local_aws.store import Body, Missing

_LOG = logging.getLogger(__name__)
_STATES = {"Cancelled": "CANCELED"}


def launch(cloud: Cloud, execution_id: str, told: str | None = "STARTED") -> None:
    """Carry an execution on from where it stands, in a thread of its own.

    EventBridge is told that it is STARTED or RESUMED, or nothing.
    """
    run = ExecutionRun(cloud, execution_id, told)
    threading.Thread(target=run.work, name=f"codepipeline {execution_id}", daemon=True).start()


class ExecutionRun:
    """One execution while it runs."""

    def __init__(self, cloud: Cloud, execution_id: str, told: str | None) -> None:
        self._cloud = cloud
        self._told = told
        self._execution_id = execution_id

    def work(self) -> None:
        """Go through the stages to the end, whatever that is."""
        try:
            body = self._body()
            pipeline = execution_record.declared(self._cloud, body)
            if self._told:
                state_events.pipeline(self._cloud, body, self._told)
            body = self._walk(pipeline)
            state_events.pipeline(self._cloud, body, _STATES.get(body["status"], body["status"].upper()))
        except Missing:
            _LOG.info("execution %s: its pipeline was deleted", self._execution_id)
        except Exception as error:
            # A fault of this cloud: its traceback is for the log, and nobody must wait for this execution.
            _LOG.exception("execution %s", self._execution_id)
            self._break_off(f"Internal failure of local-aws: {type(error).__name__}: {error}")

    def _walk(self, pipeline: Pipeline) -> Body:
        """The stages from where it stands; the row as it was when the execution was over.

        A row is not read again once it is over: somebody may have had the stage retried, which is another's work then.
        """
        while True:
            body = self._cloud.store.wait(
                KIND, self._execution_id, lambda row: row["_inside"] or not execution_record.is_active(row)
            )
            if not execution_record.is_active(body):
                return body
            stage = pipeline.stage(body["_position"])
            if stage is None:
                raise RuntimeError(f"the pipeline has no stage {body['_position']}")
            attempt = body["_stages"][stage.name]["attempt"]
            state_events.stage(self._cloud, body, stage.name, "STARTED" if attempt == 1 else "RESUMED")
            outcome = StageRun(self._cloud, self._execution_id, pipeline, stage).run()
            body = self._leave(pipeline, stage, outcome)
            if not execution_record.is_active(body):
                return body

    def _body(self) -> Body:
        return self._cloud.store.get(KIND, self._execution_id)

    def _leave(self, pipeline: Pipeline, stage: Stage, outcome: str) -> Body:
        """Record how a stage ended and what follows from it; what it had locked is free at the same moment.

        Answers the row as it then is.
        """
        rolled_back: str | None = None
        with self._cloud.store.transaction():
            body = self._body()
            if execution_record.is_active(body):
                if body["status"] == STOPPING:
                    outcome = STOPPED
                left = execution_record.change_stage(body, stage.name, status=outcome)
                if outcome == SUCCEEDED:
                    left = _succeeded(left, pipeline, stage)
                elif outcome == STOPPED:
                    left = execution_record.ended(left, STOPPED, left["_stop"]["reason"])
                elif retries.may_retry_by_itself(left, stage):
                    left = retries.again(left, stage, stage.retry_mode, retries.AUTOMATED)
                else:
                    rolled_back = rollback.after_failure(self._cloud, pipeline, stage, left)
                    told = f". Execution {rolled_back} rolls the stage back." if rolled_back else ""
                    left = execution_record.ended(left, FAILED, _failure(left, stage) + told)
                body = execution_record.change(self._cloud, self._execution_id, lambda _: left)
                gate.settle(self._cloud, pipeline.name)
        state = outcome if execution_record.is_active(body) or outcome != STOPPED else body["status"]
        state_events.stage(self._cloud, body, stage.name, _STATES.get(state, state.upper()))
        if rolled_back:
            launch(self._cloud, rolled_back)
        return body

    def _break_off(self, reason: str) -> None:
        def end(body: Body) -> Body | None:
            return execution_record.ended(body, FAILED, reason) if execution_record.is_active(body) else None

        body = execution_record.change(self._cloud, self._execution_id, end)
        gate.settle(self._cloud, body["pipelineName"])


def _succeeded(body: Body, pipeline: Pipeline, stage: Stage) -> Body:
    following = pipeline.after(stage.name)
    if following is None or body["_only"]:
        return execution_record.ended(body, SUCCEEDED)
    return gate.arrive(body, following.name)


def _failure(body: Body, stage: Stage) -> str:
    """What failed, in one line, for the summary of the execution."""
    for name, record in execution_record.actions_of(body, stage.name).items():
        if record["status"] == FAILED:
            lines = record["output"]["executionResult"]["errorDetails"]["message"].splitlines()
            # The last that a build's command has printed is most often the reason.
            told = f"{lines[-1]} ({lines[0]})" if build_failure.PRINTED in lines else lines[0]
            return f"Stage {stage.name} failed at action {name}: {told}"
    return f"Stage {stage.name} failed"
