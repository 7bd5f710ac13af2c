"""The run of one step within an execution: an earlier result from the cache, or its work, tried again where allowed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.caching import cache_key
from local_aws.sagemaker.pipelines.definition import Step
from local_aws.sagemaker.pipelines.expressions import ExpressionFailure, Scope, evaluate, look_up
from local_aws.sagemaker.pipelines.retrying import RetryPolicy, policy_for
from local_aws.sagemaker.pipelines.schedule import SUCCEEDED
from local_aws.sagemaker.pipelines.steps import CARRY_OUT
from local_aws.sagemaker.pipelines.steps.turn import Properties, StepFailed, StepStopped, Turn
from local_aws.sagemaker.s3_io import Location
from local_aws.store import Body, now

_JOB_VARIABLES = ("TrainingJobName", "ProcessingJobName")


class StepRun:
    """One step of the execution `arn`; `terminated` says whether a Fail step has ended that execution."""

    def __init__(self, cloud: Cloud, arn: str, step: Step, terminated: Callable[[], bool]) -> None:
        self._cloud = cloud
        self._arn = arn
        self._step = step
        self._terminated = terminated

    def result(self) -> dict[str, Any]:
        """The members of a succeeded step's record: from an earlier run where caching allows it, else by its work.

        Raises `StepFailed` and `StepStopped`.
        """
        step, scope = self._step, self._scope()
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
        return {"_properties": self._attempts(scope), **key}

    def _attempts(self, scope: Scope) -> Properties:
        """The step's work, tried again as its retry policies say; each policy counts its own retries."""
        began, retries = time.monotonic(), Counter[RetryPolicy]()
        while True:
            try:
                return self._attempt(scope)
            except StepFailed as error:
                policy = policy_for(self._step.retry_policies, error.kind)
                delay = policy.delay(retries[policy], time.monotonic() - began) if policy else None
                if policy is None or delay is None:
                    raise
            retries[policy] += 1
            if self._stopping_within(delay):
                raise StepStopped
            self._note(lambda record: {**record, "AttemptCount": record["AttemptCount"] + 1})

    def _attempt(self, scope: Scope) -> Properties:
        turn = Turn(
            cloud=self._cloud,
            step=self._step,
            scope=scope,
            execution_id=self._arn.rpartition("/")[2],
            source=random.SystemRandom(),
            note=lambda members: self._note(lambda record: {**record, **members}),
            stopping=self._stopping,
        )
        try:
            return CARRY_OUT[self._step.type.name](turn)
        except ExpressionFailure as error:
            raise StepFailed(f"ClientError: {error}") from error

    def _execution(self) -> Body:
        return executions.find(self._cloud, self._arn)

    def _note(self, change: Callable[[Body], Body]) -> None:
        executions.change_step(self._cloud, self._arn, self._step.name, change)

    def _stopping(self) -> bool:
        return self._terminated() or not executions.is_executing(self._execution())

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

        return Scope(execution["_parameters"], executions.variables(execution), done, property_file, self._read_s3)

    def _read_s3(self, uri: str) -> str:
        where = Location.parse(uri)
        try:
            response = self._cloud.client("s3").get_object(Bucket=where.bucket, Key=where.key)
        except ClientError as error:
            raise ExpressionFailure(f"Unable to read {uri}: {error.response['Error']['Message']}") from error
        return response["Body"].read().decode("utf-8", "replace")
