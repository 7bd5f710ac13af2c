"""Metrics of a training job: the metric definitions applied to the lines of its log, as they are written.

A definition's regular expression searches each line, and its first group is the value:
https://docs.aws.amazon.com/sagemaker/latest/dg/define-train-metrics.html
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import regex

from local_aws.errors import validation_error

# A regular expression that backtracks without end must not hold up the log it reads.
_SECONDS_PER_LINE = 0.5
_CHARACTERS_PER_LINE = 16_384
# A job that prints a metric without pause fills its log, not this server's memory.
_VALUES_KEPT = 50_000


@dataclass(frozen=True)
class MetricValue:
    """One value of a metric, and when the line with it was written."""

    time: datetime
    value: float


@dataclass(frozen=True)
class _Definition:
    name: str
    pattern: regex.Pattern[str]


class MetricReader:
    """Reads the metrics of one training job from its log; may be read from while another thread feeds it.

    `definitions` are MetricDefinitions of the API, `{"Name": ..., "Regex": ...}`. Raises `AwsError`
    (ValidationException) for an expression that cannot be read or has no group to take the value from.
    """

    def __init__(self, definitions: Iterable[dict[str, str]]) -> None:
        self._definitions = [_definition(definition) for definition in definitions]
        self._values: dict[str, list[MetricValue]] = {}
        self._last: dict[str, MetricValue] = {}
        self._lock = threading.Lock()

    def line(self, text: str, time: datetime) -> bool:
        """Take in one line of the log, written at `time`; True where it held a value of some metric.

        What is not a finite number is passed over, as CloudWatch takes neither NaN nor infinity:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
        """
        found = [
            (definition.name, MetricValue(time, value))
            for definition in self._definitions
            for value in _values(definition.pattern, text[:_CHARACTERS_PER_LINE])
        ]
        with self._lock:
            for name, value in found:
                self._last[name] = value
                history = self._values.setdefault(name, [])
                if len(history) < _VALUES_KEPT:
                    history.append(value)
        return bool(found)

    def final(self) -> list[dict[str, Any]]:
        """The last value of each metric that had one, as the FinalMetricDataList of DescribeTrainingJob."""
        with self._lock:
            return [
                {"MetricName": name, "Value": last.value, "Timestamp": last.time} for name, last in self._last.items()
            ]

    def history(self, name: str) -> list[MetricValue]:
        """All values of a metric so far, oldest first."""
        with self._lock:
            return list(self._values.get(name, ()))


def _definition(definition: dict[str, str]) -> _Definition:
    name, expression = definition["Name"], definition["Regex"]
    try:
        pattern = regex.compile(expression)
    except regex.error as error:
        raise validation_error(f"Invalid regular expression for metric {name!r}: {expression!r} ({error})") from error
    if pattern.groups == 0:
        raise validation_error(
            f"Invalid regular expression for metric {name!r}: {expression!r} has no group to capture the value"
        )
    return _Definition(name, pattern)


def _values(pattern: regex.Pattern[str], text: str) -> list[float]:
    try:
        found = [match.group(1) for match in pattern.finditer(text, timeout=_SECONDS_PER_LINE)]
    except TimeoutError:
        return []
    values = []
    for captured in found:
        try:
            value = float(captured)
        except (TypeError, ValueError):
            continue
        if math.isfinite(value):
            values.append(value)
    return values
