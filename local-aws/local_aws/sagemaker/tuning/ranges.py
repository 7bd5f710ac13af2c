"""Ranges of hyperparameters: what a tuning job may search, read from the request and refused as AWS refuses.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from local_aws.errors import validation_error

# A range over this many times its least value is searched by orders of magnitude when the scaling is left to us.
_WIDE = 100.0

_Number = TypeVar("_Number", int, float)


class Scaling(StrEnum):
    """How a numeric range is searched; Auto is settled when the range is read."""

    LINEAR = "Linear"
    LOGARITHMIC = "Logarithmic"
    REVERSE_LOGARITHMIC = "ReverseLogarithmic"


@dataclass(frozen=True)
class IntegerRange:
    """Whole numbers from `low` to `high`, both included."""

    name: str
    low: int
    high: int
    scaling: Scaling

    @property
    def size(self) -> float:
        return self.high - self.low + 1


@dataclass(frozen=True)
class ContinuousRange:
    """Real numbers from `low` to `high`, both included."""

    name: str
    low: float
    high: float
    scaling: Scaling

    @property
    def size(self) -> float:
        return math.inf


@dataclass(frozen=True)
class CategoricalRange:
    """One of the given strings."""

    name: str
    values: tuple[str, ...]

    @property
    def size(self) -> float:
        return len(self.values)


Range = IntegerRange | ContinuousRange | CategoricalRange


def parse(ranges: dict[str, Any]) -> list[Range]:
    """The ranges of a ParameterRanges structure, in the order of the request.

    AutoParameters give an example value each, from which the range is made: numbers from a tenth to ten times the
    example, anything else the example alone. Raises `AwsError` (ValidationException) for a range AWS would refuse.
    """
    parsed: list[Range] = []
    for entry in ranges.get("IntegerParameterRanges", []):
        low, high = _bounds(entry, int, "an integer")
        parsed.append(IntegerRange(entry["Name"], low, high, _scaling(entry, low, high, whole=True)))
    for entry in ranges.get("ContinuousParameterRanges", []):
        least, most = _bounds(entry, _finite, "a number")
        parsed.append(ContinuousRange(entry["Name"], least, most, _scaling(entry, least, most, whole=False)))
    for entry in ranges.get("CategoricalParameterRanges", []):
        parsed.append(CategoricalRange(entry["Name"], _distinct(entry["Name"], entry["Values"])))
    parsed.extend(_around(entry["Name"], entry["ValueHint"]) for entry in ranges.get("AutoParameters", []))
    names = [range_.name for range_ in parsed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise validation_error(
            f"Hyperparameter ranges must have distinct names; given more than once: {', '.join(twice)}"
        )
    return parsed


def combinations(ranges: list[Range]) -> float:
    """How many different sets of hyperparameters the ranges allow; infinite with a continuous one among them."""
    return math.prod(range_.size for range_ in ranges)


def render(value: int | float | str) -> str:
    """A value as the training job gets it: hyperparameters are strings."""
    return value if isinstance(value, str) else repr(value)


def read(range_: Range, text: str) -> int | float | str | None:
    """The value of a range that a hyperparameter's string stands for, or None where it lies outside."""
    if isinstance(range_, CategoricalRange):
        return text if text in range_.values else None
    try:
        value = int(text) if isinstance(range_, IntegerRange) else float(text)
    except ValueError:
        return None
    return value if range_.low <= value <= range_.high else None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _bounds(entry: dict[str, str], number: Callable[[str], _Number], what: str) -> tuple[_Number, _Number]:
    try:
        low, high = number(entry["MinValue"]), number(entry["MaxValue"])
    except ValueError:
        raise validation_error(
            f"Hyperparameter range {entry['Name']}: MinValue {entry['MinValue']!r} and MaxValue {entry['MaxValue']!r} "
            f"must each be {what}"
        ) from None
    if low >= high:
        raise validation_error(
            f"Hyperparameter range {entry['Name']}: MinValue {entry['MinValue']} must be less than "
            f"MaxValue {entry['MaxValue']}"
        )
    return low, high


def _scaling(entry: dict[str, str], low: float, high: float, *, whole: bool) -> Scaling:
    asked = entry.get("ScalingType", "Auto")
    if asked == "Auto":
        return _best_scaling(low, high, whole=whole)
    scaling = Scaling(asked)
    if scaling is Scaling.LOGARITHMIC and low <= 0:
        raise validation_error(
            f"Hyperparameter range {entry['Name']}: Logarithmic scaling needs values greater than 0, MinValue is {low}"
        )
    if scaling is Scaling.REVERSE_LOGARITHMIC:
        if whole:
            raise validation_error(
                f"Hyperparameter range {entry['Name']}: ReverseLogarithmic scaling is for continuous ranges only"
            )
        if low < 0 or high >= 1:
            raise validation_error(
                f"Hyperparameter range {entry['Name']}: ReverseLogarithmic scaling needs 0 <= values < 1, "
                f"the range is {low} to {high}"
            )
    return scaling


def _best_scaling(low: float, high: float, *, whole: bool) -> Scaling:
    if low > 0 and high / low >= _WIDE:
        return Scaling.LOGARITHMIC
    if not whole and low >= 0 and high < 1 and (1 - low) / (1 - high) >= _WIDE:
        return Scaling.REVERSE_LOGARITHMIC
    return Scaling.LINEAR


def _distinct(name: str, values: list[str]) -> tuple[str, ...]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise validation_error(f"Hyperparameter range {name}: values must be distinct; given more than once: {twice}")
    return tuple(values)


def _around(name: str, hint: str) -> Range:
    try:
        example = _finite(hint)
    except ValueError:
        return CategoricalRange(name, (hint,))
    if example == 0:
        return ContinuousRange(name, 0.0, 1.0, Scaling.LINEAR)
    low, high = sorted((example / 10, example * 10))
    if example.is_integer() and "." not in hint and "e" not in hint.lower():
        whole_low, whole_high = math.ceil(low), math.floor(high)
        return IntegerRange(name, whole_low, whole_high, _best_scaling(whole_low, whole_high, whole=True))
    return ContinuousRange(name, low, high, _best_scaling(low, high, whole=False))
