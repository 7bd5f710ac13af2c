"""Ranges of hyperparameters: those AWS refuses, and what the others mean."""

from __future__ import annotations

import math
from typing import Any

import pytest
from local_aws.errors import AwsError
from local_aws.sagemaker.tuning import ranges
from local_aws.sagemaker.tuning.ranges import CategoricalRange, ContinuousRange, IntegerRange, Scaling


def _integer(low: str, high: str, scaling: str = "Auto", name: str = "n") -> dict[str, Any]:
    entry = {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}
    return {"IntegerParameterRanges": [entry]}


def _continuous(low: str, high: str, scaling: str = "Auto") -> dict[str, Any]:
    return {"ContinuousParameterRanges": [{"Name": "x", "MinValue": low, "MaxValue": high, "ScalingType": scaling}]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (_integer("5", "1"), "MinValue 5 must be less than MaxValue 1"),
        (_integer("5", "5"), "must be less than"),
        (_integer("1.5", "3"), "must each be an integer"),
        (_integer("few", "many"), "must each be an integer"),
        (_integer("0", "5", "Logarithmic"), "greater than 0"),
        (_integer("0", "5", "ReverseLogarithmic"), "continuous ranges only"),
        (_continuous("1", "0.5"), "must be less than"),
        (_continuous("0", "nan"), "must each be a number"),
        (_continuous("0", "inf"), "must each be a number"),
        (_continuous("0", "1", "Logarithmic"), "greater than 0"),
        (_continuous("0", "1", "ReverseLogarithmic"), "0 <= values < 1"),
        (_continuous("-0.1", "0.9", "ReverseLogarithmic"), "0 <= values < 1"),
        ({"CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "a"]}]}, "distinct"),
        ({**_integer("1", "2", name="x"), **_continuous("0", "1")}, "given more than once: x"),
    ],
)
def test_a_range_that_aws_would_refuse_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(AwsError, match=says) as refused:
        ranges.parse(given)
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("given", "scaling"),
    [
        (_integer("1", "1000"), Scaling.LOGARITHMIC),
        (_integer("1", "10"), Scaling.LINEAR),
        (_integer("0", "1000"), Scaling.LINEAR),
        (_continuous("0.0001", "0.1"), Scaling.LOGARITHMIC),
        (_continuous("0.5", "0.999"), Scaling.REVERSE_LOGARITHMIC),
        (_continuous("-1", "1"), Scaling.LINEAR),
        (_continuous("0.0001", "0.1", "Linear"), Scaling.LINEAR),
    ],
)
def test_auto_scaling_goes_by_the_width_of_the_range(given: dict[str, Any], scaling: Scaling) -> None:
    (range_,) = ranges.parse(given)
    assert not isinstance(range_, CategoricalRange)
    assert range_.scaling is scaling


def test_the_order_and_the_number_of_combinations() -> None:
    parsed = ranges.parse(
        {
            **_integer("1", "4"),
            "CategoricalParameterRanges": [{"Name": "criterion", "Values": ["gini", "entropy"]}],
        }
    )
    assert [range_.name for range_ in parsed] == ["n", "criterion"]
    assert ranges.combinations(parsed) == 8
    assert ranges.combinations([*parsed, *ranges.parse(_continuous("0", "1"))]) == math.inf


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("5", IntegerRange("h", 1, 50, Scaling.LINEAR)),
        ("-1", IntegerRange("h", -10, -1, Scaling.LINEAR)),
        ("0.01", ContinuousRange("h", 0.001, 0.1, Scaling.LOGARITHMIC)),
        ("0", ContinuousRange("h", 0.0, 1.0, Scaling.LINEAR)),
        ("gini", CategoricalRange("h", ("gini",))),
    ],
)
def test_a_range_is_made_around_the_example_of_an_auto_parameter(hint: str, expected: ranges.Range) -> None:
    (made,) = ranges.parse({"AutoParameters": [{"Name": "h", "ValueHint": hint}]})
    if isinstance(expected, ContinuousRange):
        assert isinstance(made, ContinuousRange)
        assert (made.low, made.high) == pytest.approx((expected.low, expected.high))
        assert made.scaling is expected.scaling
    else:
        assert made == expected


def test_values_outside_a_range_are_told_apart() -> None:
    (range_,) = ranges.parse(_integer("1", "4"))
    assert ranges.read(range_, "4") == 4
    assert ranges.read(range_, "5") is None
    assert ranges.read(range_, "gini") is None
    assert ranges.read(CategoricalRange("c", ("a",)), "b") is None
