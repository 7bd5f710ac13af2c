"""Retry policies of a step: which failures are tried again, how often, and how long after.

https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.errors import AwsError, validation_error

SERVICE_FAULT = "Step.SERVICE_FAULT"
THROTTLING = "Step.THROTTLING"
JOB_INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"
_EXCEPTIONS = (SERVICE_FAULT, THROTTLING, JOB_INTERNAL_ERROR, CAPACITY_ERROR, RESOURCE_LIMIT)
_THROTTLES = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}
# What SageMaker writes at the head of a job's failure reason.
_REASONS = {
    "InternalServerError": JOB_INTERNAL_ERROR,
    "CapacityError": CAPACITY_ERROR,
    "InsufficientCapacity": CAPACITY_ERROR,
    "ResourceLimitExceeded": RESOURCE_LIMIT,
}
_LONGEST_INTERVAL = 43_200
_MOST_ATTEMPTS = 20
_LONGEST_EXPIRY = 14_400


@dataclass(frozen=True)
class RetryPolicy:
    """Failures of the kinds in `exceptions` are tried again.

    The n-th retry comes `interval` · `backoff`^(n-1) seconds after the failure, until there were `max_attempts` retries
    or `expire_after` minutes have passed since the step started.
    """

    exceptions: tuple[str, ...]
    interval: float = 1
    backoff: float = 2
    max_attempts: int | None = None
    expire_after: int | None = None

    def delay(self, retries: int, elapsed: float) -> float | None:
        """Seconds to wait before the next try after `retries` of them, `elapsed` seconds in; None to give up."""
        if self.max_attempts is not None and retries >= self.max_attempts:
            return None
        wait = min(self.interval * self.backoff**retries, _LONGEST_INTERVAL)
        if self.expire_after is not None and elapsed + wait > self.expire_after * 60:
            return None
        return wait


# Faults and throttling of the services themselves are retried for every step, whatever its policies say.
_BY_DEFAULT = RetryPolicy((SERVICE_FAULT, THROTTLING), max_attempts=3)


def policy_for(policies: Sequence[RetryPolicy], exception: str | None) -> RetryPolicy | None:
    """The policy that speaks of a failure of this kind: the step's first, else that of every step."""
    return next((policy for policy in (*policies, _BY_DEFAULT) if exception in policy.exceptions), None)


def kind_of_refusal(error: AwsError) -> str | None:
    """The kind of failure that a refused API call is, or None for one that no policy retries."""
    if error.code in _THROTTLES:
        return THROTTLING
    if error.code == "ResourceLimitExceeded":
        return RESOURCE_LIMIT
    return SERVICE_FAULT if error.status >= 500 else None


def kind_of_job_failure(reason: str) -> str | None:
    """The kind of failure that a job's `FailureReason` tells of, or None for the algorithm's own."""
    return next((kind for head, kind in _REASONS.items() if reason.startswith(head)), None)


def read_retry_policy(item: dict[str, Any], step: str) -> RetryPolicy:
    """A policy as a definition declares it; raises `AwsError` (ValidationException)."""
    unknown = item.keys() - {"ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin"}
    if unknown:
        raise _invalid(step, f"unknown member '{min(unknown)}'")
    kinds = item.get("ExceptionType")
    if not isinstance(kinds, list) or not kinds:
        raise _invalid(step, "'ExceptionType' must name at least one exception type")
    for kind in kinds:
        if kind not in _EXCEPTIONS:
            raise _invalid(step, f"unknown exception type {kind!r}, use one of {', '.join(_EXCEPTIONS)}")
    attempts, expiry = item.get("MaxAttempts"), item.get("ExpireAfterMin")
    interval, backoff = item.get("IntervalSeconds", 1), item.get("BackoffRate", 2)
    if (attempts is None) == (expiry is None):
        raise _invalid(step, "exactly one of 'MaxAttempts' and 'ExpireAfterMin' must be given")
    for member, value, least, most in (
        ("MaxAttempts", attempts, 1, _MOST_ATTEMPTS),
        ("ExpireAfterMin", expiry, 1, _LONGEST_EXPIRY),
        ("IntervalSeconds", interval, 0, _LONGEST_INTERVAL),
        ("BackoffRate", backoff, 0, float("inf")),
    ):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most
        ):
            raise _invalid(step, f"'{member}' is {value!r}, it must be a number from {least} to {most}")
    return RetryPolicy(tuple(kinds), interval, backoff, attempts, expiry)


def _invalid(step: str, reason: str) -> AwsError:
    return validation_error(f"Unable to parse pipeline definition. Invalid retry policy of step '{step}': {reason}.")
