"""Step caching: the part of a step's arguments that must be the same, and how old an earlier result may be.

https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from local_aws.sagemaker.pipelines.step_types import StepType

_DURATION = re.compile(
    r"P?(?=[0-9T])(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}


def duration(text: str) -> timedelta:
    """An ISO 8601 duration, the leading `P` optional as AWS writes it: `p30d`, `P4DT12H`, `T16m`.

    A year counts 365 days and a month 30. Raises `ValueError`.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as 'P30D' or 'T12H'")
    parts = {unit: int(number or 0) for unit, number in found.groupdict().items()}
    return timedelta(
        days=sum(parts[unit] * days for unit, days in _DAYS.items()),
        hours=parts["hours"],
        minutes=parts["minutes"],
        seconds=parts["seconds"],
    )


def cache_key(step_type: StepType, arguments: Mapping[str, Any]) -> str:
    """A digest of those evaluated arguments that decide whether a step of this type has to run again."""
    kept = {path: _at(arguments, path.split(".")) for path in step_type.cache_key}
    text = json.dumps([step_type.name, kept], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _at(value: Any, path: list[str]) -> Any:
    for member in path:
        value = value.get(member) if isinstance(value, Mapping) else None
    return value
