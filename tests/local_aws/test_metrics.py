"""Metric definitions on log lines: what counts as a value, and what a broken definition or line does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from local_aws.errors import AwsError
from local_aws.sagemaker.metrics import MetricReader, MetricValue

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACCURACY = {"Name": "accuracy", "Regex": r"accuracy=([0-9.eE+-]+)"}


def test_an_expression_that_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(AwsError, match=r"metric 'loss'.*'loss=\(") as refused:
        MetricReader([ACCURACY, {"Name": "loss", "Regex": "loss=("}])
    assert refused.value.code == "ValidationException"


def test_an_expression_without_a_group_is_refused() -> None:
    with pytest.raises(AwsError, match="no group"):
        MetricReader([{"Name": "loss", "Regex": "loss=.*"}])


@pytest.mark.parametrize("text", ["accuracy=.", "accuracy=1.2.3", "accuracy=", "nothing here", ""])
def test_a_line_without_a_number_gives_no_value(text: str) -> None:
    reader = MetricReader([ACCURACY])
    assert not reader.line(text, NOON)
    assert reader.final() == []


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_a_value_that_is_not_finite_is_passed_over(value: str) -> None:
    reader = MetricReader([{"Name": "loss", "Regex": "loss=(.*)"}])
    reader.line("loss=0.5", NOON)
    reader.line(f"loss={value}", NOON + timedelta(seconds=1))
    assert [entry["Value"] for entry in reader.final()] == [0.5]


def test_an_optional_group_that_did_not_match_gives_no_value() -> None:
    reader = MetricReader([{"Name": "loss", "Regex": "loss(=[0-9]+)?"}])
    assert not reader.line("loss", NOON)


def test_the_last_value_is_final_and_the_history_keeps_them_all() -> None:
    reader = MetricReader([ACCURACY, {"Name": "loss", "Regex": r"loss: (\S+)"}])
    assert reader.line("epoch 1 accuracy=0.5 loss: 1e-1", NOON)
    later = NOON + timedelta(minutes=1)
    reader.line("epoch 2 accuracy=0.75", later)
    assert reader.final() == [
        {"MetricName": "accuracy", "Value": 0.75, "Timestamp": later},
        {"MetricName": "loss", "Value": 0.1, "Timestamp": NOON},
    ]
    assert reader.history("accuracy") == [MetricValue(NOON, 0.5), MetricValue(later, 0.75)]
    assert reader.history("f1") == []


def test_each_value_in_one_line_is_read() -> None:
    reader = MetricReader([ACCURACY])
    reader.line("accuracy=0.1\raccuracy=0.2\raccuracy=0.3", NOON)
    assert [entry.value for entry in reader.history("accuracy")] == [0.1, 0.2, 0.3]


def test_an_expression_that_backtracks_without_end_does_not_hold_up_the_log() -> None:
    reader = MetricReader([{"Name": "evil", "Regex": "((a|aa)+)+$"}])
    started = time.monotonic()
    reader.line("a" * 5_000 + "!", NOON)
    assert time.monotonic() - started < 10


def test_ten_megabytes_of_log_are_read_in_a_few_seconds() -> None:
    reader = MetricReader([ACCURACY, {"Name": "f1", "Regex": r"f1=([0-9.]+);"}])
    started = time.monotonic()
    for _ in range(100_000):
        reader.line("x" * 99, NOON)
    assert time.monotonic() - started < 10
