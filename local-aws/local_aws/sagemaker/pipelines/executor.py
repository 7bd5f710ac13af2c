"""Carries out an execution: a thread that starts each step when its turn comes, and a thread for each running step."""

from __future__ import annotations

import functools
import logging
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.caching import cache_key
from local_aws.sagemaker.pipelines.definition import PipelineDefinition, Step
from local_aws.sagemaker.pipelines.expressions import ExpressionFailure, Scope, evaluate, look_up
from local_aws.sagemaker.pipelines.retrying import RetryPolicy, policy_for
from local_aws.sagemaker.pipelines.schedule import FAILED, STOPPED, SUCCEEDED, plan, ran_on_failure
from local_aws.sagemaker.pipelines.steps import CARRY_OUT
from local_aws.sagemaker.pipelines.steps.jobs import stop_job
from local_aws.sagemaker.pipelines.steps.turn import Properties, StepFailed, StepStopped, Turn
from local_aws.sagemaker.s3_io import Location
from local_aws.store import Body, now

_LOG = logging.getLogger(__name__)
_FAILURE = "Step failure: One or multiple steps failed."
_JOB_VARIABLES = ("TrainingJobName", "ProcessingJobName")


def execute(cloud: Cloud, arn: str) -> None:
    """Begin to carry out what is left of an execution; returns at once."""
    executor = _Executor(cloud, arn)
    threading.Thread(target=executor.run, name=f"pipeline {arn.rpartition('/')[2]}", daemon=True).start()


def request_stop(cloud: Cloud, arn: str) -> None:
    """Stop the jobs of an execution's running steps; its own thread sees that they have ended."""
    executions.stop_jobs(cloud, arn, lambda step_type, name: stop_job(cloud, step_type, name))


class _Executor:
    """One execution while it runs."""

    def __init__(self, cloud: Cloud, arn: str) -> None:
        self._cloud = cloud
        self._arn = arn
        self._ended: queue.Queue[str] = queue.Queue()
        # Set by a Fail step: nothing starts any more.
        self._terminated = threading.Event()
        self._source = random.SystemRandom()

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
            end(SUCCEEDED, **self._result(step))
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

    def _result(self, step: Step) -> dict[str, Any]:
        """The members of a succeeded step's record: from an earlier run where caching allows it, else by its work."""
        scope = self._scope()
        key: dict[str, str] = {}
        if step.caching.enabled and step.type.cache_key:
            try:
                arguments = evaluate(step.arguments, scope.named(dict.fromkeys(_JOB_VARIABLES, "")))
            except ExpressionFailure as error:
                raise StepFailed(f"ClientError: {error}") from error
            digest = cache_key(step.type, arguments)
            key = {"_cache_key": digest}
            pipeline = self._execution()["PipelineArn"]
            hit = executions.earlier_result(self._cloud, pipeline, step.name, digest, now(), step.caching.expire_after)
            if hit is not None:
                arn, record = hit
                return {
                    "Metadata": record["Metadata"],
                    "_properties": record["_properties"],
                    "CacheHitResult": {"SourcePipelineExecutionArn": arn},
                    **key,
                }
        return {"_properties": self._attempts(step, scope), **key}

    def _attempts(self, step: Step, scope: Scope) -> Properties:
        """The step's work, tried again as its retry policies say; each policy counts its own retries."""
        began, retries = time.monotonic(), Counter[RetryPolicy]()
        while True:
            try:
                return self._attempt(step, scope)
            except StepFailed as error:
                policy = policy_for(step.retry_policies, error.kind)
                delay = policy.delay(retries[policy], time.monotonic() - began) if policy else None
                if policy is None or delay is None:
                    raise
            retries[policy] += 1
            if self._stopping_within(delay):
                raise StepStopped
            self._note(step, lambda record: {**record, "AttemptCount": record["AttemptCount"] + 1})

    def _attempt(self, step: Step, scope: Scope) -> Properties:
        turn = Turn(
            cloud=self._cloud,
            step=step,
            scope=scope,
            execution_id=self._arn.rpartition("/")[2],
            source=self._source,
            note=lambda members: self._note(step, lambda record: {**record, **members}),
            stopping=self._stopping,
        )
        try:
            return CARRY_OUT[step.type.name](turn)
        except ExpressionFailure as error:
            raise StepFailed(f"ClientError: {error}") from error

    def _note(self, step: Step, change: Callable[[Body], Body]) -> None:
        executions.change_step(self._cloud, self._arn, step.name, change)

    def _stopping(self) -> bool:
        return self._terminated.is_set() or not executions.is_executing(self._execution())

    def _stopping_within(self, seconds: float) -> bool:
        """Sleep, unless the execution is stopped before `seconds` have passed; answers whether it is."""
        self._cloud.store.wait(executions.KIND, self._arn, lambda _: self._stopping(), timeout=seconds)
        return self._stopping() or self._cloud.stopping.is_set()

    def _scope(self) -> Scope:
        execution = self._execution()
        done = {
            name: record["_properties"]
            for name, record in execution["_steps"].items()
            if record["StepStatus"] == SUCCEEDED
        }
        definition = executions.definition_of(self._cloud, execution)

        def property_file(step: str, name: str) -> str:
            file = next(file for file in definition.steps[step].property_files if file.name == name)
            path = ("ProcessingOutputConfig", "Outputs", file.output, "S3Output", "S3Uri")
            if step not in done:
                raise ExpressionFailure(f"Unable to read property file {name}: step {step} has no result.")
            return f"{look_up(done[step], path, f'property file {name}').rstrip('/')}/{file.path}"

        return Scope(execution["_parameters"], execution_variables(execution), done, property_file, self._read_s3)

    def _read_s3(self, uri: str) -> str:
        where = Location.parse(uri)
        try:
            response = self._cloud.client("s3").get_object(Bucket=where.bucket, Key=where.key)
        except ClientError as error:
            raise ExpressionFailure(f"Unable to read {uri}: {error.response['Error']['Message']}") from error
        return response["Body"].read().decode("utf-8", "replace")

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


def execution_variables(execution: Body) -> dict[str, str]:
    """What `Execution.X` stands for: https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-variables.html"""
    arn = execution["PipelineExecutionArn"]
    return {
        "PipelineName": execution["_pipeline"],
        "PipelineArn": execution["PipelineArn"],
        "PipelineExecutionId": arn.rpartition("/")[2],
        "PipelineExecutionArn": arn,
        "StartDateTime": execution["CreationTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "CurrentDateTime": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
