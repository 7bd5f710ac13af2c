"""Carries out an execution: a thread that starts each step when its turn comes, and a thread for each running step."""

from __future__ import annotations

import functools
import logging
import queue
import threading

from local_aws.cloud import Cloud
from local_aws.principal import acting_as
from local_aws.sagemaker import execution_role
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.definition import PipelineDefinition, Step
from local_aws.sagemaker.pipelines.schedule import FAILED, STOPPED, SUCCEEDED, plan, ran_on_failure
from local_aws.sagemaker.pipelines.step_run import StepRun
from local_aws.sagemaker.pipelines.steps.jobs import stop_job
from local_aws.sagemaker.pipelines.steps.turn import StepFailed, StepStopped
from local_aws.store import Body, now

_LOG = logging.getLogger(__name__)
_FAILURE = "Step failure: One or multiple steps failed."


def execute(cloud: Cloud, arn: str) -> None:
    """Begin to carry out what is left of an execution; returns at once."""
    executor = _Executor(cloud, arn)
    threading.Thread(target=executor.run, name=f"pipeline {arn.rpartition('/')[2]}", daemon=True).start()


def request_stop(cloud: Cloud, arn: str) -> None:
    """Stop the jobs of an execution's running steps; its own thread sees that they have ended."""
    with acting_as(execution_role.session(executions.find(cloud, arn)["RoleArn"])):
        executions.stop_jobs(cloud, arn, lambda step_type, name: stop_job(cloud, step_type, name))


class _Executor:
    """One execution while it runs."""

    def __init__(self, cloud: Cloud, arn: str) -> None:
        self._cloud = cloud
        self._arn = arn
        self._ended: queue.Queue[str] = queue.Queue()
        # Set by a Fail step: nothing starts any more.
        self._terminated = threading.Event()

    def run(self) -> None:
        """Start steps as they become ready, until none runs and none can start; then record how it all ended."""
        definition = executions.definition_of(self._cloud, self._execution())
        running: set[str] = set()
        while True:
            for step in self._startable(definition, running):
                running.add(step.name)
                self._begin(step)
                threading.Thread(target=self._carry_out, args=(step,), name=f"step {step.name}", daemon=True).start()
            if not running:
                break
            running.discard(self._ended.get())
        # While the cloud goes down the execution stays as it is: the next start finds it interrupted.
        if not self._cloud.stopping.is_set():
            self._finish(definition)

    def _execution(self) -> Body:
        return executions.find(self._cloud, self._arn)

    def _startable(self, definition: PipelineDefinition, running: set[str]) -> list[Step]:
        execution = self._execution()
        if self._terminated.is_set() or self._cloud.stopping.is_set() or not executions.is_executing(execution):
            return []
        steps = execution["_steps"]
        outcomes = {
            name: record["_properties"]["Outcome"] == "true"
            for name, record in steps.items()
            if definition.steps[name].type.name == "Condition" and record["StepStatus"] == SUCCEEDED
        }
        ready = plan(definition, {name: record["StepStatus"] for name, record in steps.items()}, outcomes).ready
        most = execution.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        return list(ready if most is None else ready[: max(0, most - len(running))])

    def _begin(self, step: Step) -> None:
        record: Body = {
            "StepName": step.name,
            "StepStatus": executions.EXECUTING,
            "StartTime": now(),
            "AttemptCount": self._execution()["_attempts"].get(step.name, 0) + 1,
        }
        if step.display_name:
            record["StepDisplayName"] = step.display_name
        if step.description:
            record["StepDescription"] = step.description
        executions.change_step(self._cloud, self._arn, step.name, lambda _: record)

    def _carry_out(self, step: Step) -> None:
        """A step from its start to its end, whatever that is."""
        end = functools.partial(executions.end_step, self._cloud, self._arn, step.name)
        try:
            with acting_as(execution_role.session(self._execution()["RoleArn"])):
                result = StepRun(self._cloud, self._arn, step, self._terminated.is_set).result()
            end(SUCCEEDED, **result)
        except StepStopped as stopped:
            end(STOPPED, reason=str(stopped))
        except StepFailed as error:
            if error.ends_execution:
                self._terminated.set()
            end(FAILED, reason=error.reason)
            if error.ends_execution:
                request_stop(self._cloud, self._arn)
        except Exception as error:
            # A fault of this cloud: its traceback is for the log, and the execution must not wait for this step.
            _LOG.exception("step %s of %s", step.name, self._arn)
            end(FAILED, reason=f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            self._ended.put(step.name)

    def _finish(self, definition: PipelineDefinition) -> None:
        def ended(body: Body) -> Body:
            statuses = {name: record["StepStatus"] for name, record in body["_steps"].items()}
            result = {**body, "LastModifiedTime": now()}
            if body["PipelineExecutionStatus"] == executions.STOPPING:
                return {**result, "PipelineExecutionStatus": STOPPED}
            if FAILED in statuses.values():
                if ran_on_failure(definition, statuses):
                    return {**result, "PipelineExecutionStatus": "CompletedWithFailures"}
                return {**result, "PipelineExecutionStatus": FAILED, "FailureReason": _FAILURE}
            return {**result, "PipelineExecutionStatus": STOPPED if STOPPED in statuses.values() else SUCCEEDED}

        self._cloud.store.update(executions.KIND, self._arn, ended)
