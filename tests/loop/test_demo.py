"""The whole walk as its user starts it: it ends well, it can be repeated, and it can be interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

LEGS = ("services", "account", "build", "deploy", "invoke", "total")


def test_the_walk_ends_with_predictions_and_a_second_one_adds_nothing(start_walk: Callable[[], Any]) -> None:
    first = start_walk()
    assert first.process.wait(300) == 0, first.output
    summary = first.summary
    assert summary["ok"] is True
    assert set(summary) == {
        "seconds", "trials", "registered_versions", "pinned_version", "endpoints", "predictions", "ok",
    }  # fmt: skip
    assert all(summary["seconds"][leg] >= 0 for leg in LEGS)
    assert len(summary["trials"]) == 4
    assert summary["pinned_version"] in summary["registered_versions"]
    assert summary["endpoints"] == ["iris-decision-tree-prod", "iris-decision-tree-staging"]
    right = [it for it in summary["predictions"] if it["predicted"] == it["true"]]
    assert len(right) >= len(summary["predictions"]) - 1
    assert first.processes() == []

    second = start_walk()
    assert second.process.wait(300) == 0, second.output
    assert second.summary["registered_versions"] == summary["registered_versions"]
    assert "Tune was not run again" in second.output
    assert second.output.count("nothing to change") >= 2
    assert second.processes() == []


@pytest.mark.parametrize(
    "moment",
    ["Start the local cloud", "AWS answers", "Build: a SageMaker Pipeline", "Tune: Executing", "Deploying iris"],
)
def test_an_interrupt_at_any_moment_leaves_no_process(start_walk: Callable[[], Any], moment: str) -> None:
    walk = start_walk()
    walk.wait_for(moment)
    assert walk.interrupt() == 130, walk.output
    deadline = time.monotonic() + 20
    while walk.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert walk.processes() == []
    assert walk.summary["ok"] is False
    assert "Interrupted" in walk.output
