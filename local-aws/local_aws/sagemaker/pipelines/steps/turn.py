"""A step's turn: what it is given to do its work, and the ways it can end without a result."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.sagemaker.pipelines.definition import Step
from local_aws.sagemaker.pipelines.expressions import Scope
from local_aws.sagemaker.pipelines.job_names import job_name
from local_aws.sagemaker.pipelines.retrying import kind_of_refusal

Properties = dict[str, Any]


class StepFailed(Exception):
    """A step did not succeed.

    `kind` is the exception type by which a retry policy may name the failure, None for one that no policy retries;
    `ends_execution` says that nothing else may start or go on.
    """

    def __init__(self, reason: str, kind: str | None = None, *, ends_execution: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.ends_execution = ends_execution


class StepStopped(Exception):
    """A step's job was stopped before it had a result; the message may say why (it ran longer than it may)."""


@dataclass(frozen=True)
class Turn:
    """What a step is carried out with.

    `note` adds members to the step's record while it runs, `stopping` says whether its execution is to be stopped.
    """

    cloud: Cloud
    step: Step
    scope: Scope
    execution_id: str
    source: random.Random
    note: Callable[[dict[str, Any]], None]
    stopping: Callable[[], bool]

    def new_name(self) -> str:
        """A name for what this step makes."""
        return job_name(self.execution_id, self.step.name, self.source, tuning=self.step.type.name == "Tuning")

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call SageMaker for this step; a refusal is the step's failure."""
        try:
            return self.cloud.call("sagemaker", operation, request)
        except AwsError as error:
            reason = f"ClientError: Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
            raise StepFailed(reason, kind_of_refusal(error)) from error
