"""The names that executions and their jobs are given, formed as SageMaker Pipelines forms them."""

from __future__ import annotations

import random
import string

_LOWER = string.ascii_lowercase + string.digits
_MIXED = string.ascii_letters + string.digits
# SageMaker cuts step names so that the whole stays within a job's 63 characters and a tuning job's 32.
_STEP_IN_JOB = 19
_STEP_IN_TUNING_JOB = 7


def execution_id(source: random.Random) -> str:
    """Twelve lower-case letters and digits."""
    return "".join(source.choices(_LOWER, k=12))


def job_name(execution: str, step: str, source: random.Random, *, tuning: bool = False) -> str:
    """`pipelines-<execution id>-<step>-<random>`, without the prefix for a tuning job."""
    prefix = "" if tuning else "pipelines-"
    # A step's name may have underscores, a job's may not.
    cut = step.replace("_", "-")[: _STEP_IN_TUNING_JOB if tuning else _STEP_IN_JOB].strip("-") or "step"
    return f"{prefix}{execution}-{cut}-{''.join(source.choices(_MIXED, k=10))}"
