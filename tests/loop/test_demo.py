"""The whole walk as its user starts it: it ends well, it can be repeated, and it can be interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

LEGS = ("services", "account", "build", "deploy", "update", "invoke", "rollback", "total")
BUILD = ["Source", "Build"]
DEPLOY = ["Source", "Package", "Staging", "Approve", "Prod"]


def test_the_walk_ends_with_a_rollback_and_no_request_fails(whole_walk: Any) -> None:
    summary = whole_walk.summary
    assert summary["ok"] is True
    assert set(summary) == {
        "seconds", "executions", "trials", "registered_versions", "pinned_version", "updates", "requests",
        "failed_requests", "endpoints", "predictions", "ok",
    }  # fmt: skip
    assert all(summary["seconds"][leg] >= 0 for leg in LEGS)
    assert len(summary["trials"]) == 4
    best = summary["pinned_version"]
    assert best in summary["registered_versions"]
    assert summary["endpoints"] == ["iris-decision-tree-prod", "iris-decision-tree-staging"]
    right = [it for it in summary["predictions"] if it["predicted"] == it["true"]]
    assert len(right) >= len(summary["predictions"]) - 1

    assert [execution["pipeline"].partition("model-")[2] for execution in summary["executions"]] == [
        "build", "deploy", "deploy", "deploy",
    ]  # fmt: skip
    for execution, stages in zip(summary["executions"], [BUILD, DEPLOY, DEPLOY, DEPLOY], strict=True):
        assert execution["status"] == "Succeeded"
        assert execution["stages"] == [{"name": name, "status": "Succeeded"} for name in stages]
    # The update goes to the best version, the rollback back to the one before; clients call all the while.
    before = next(version for version in summary["registered_versions"] if version != best)
    assert [update["version"] for update in summary["updates"]] == [str(best), str(before)]
    assert all(set(update["answers"]) == {str(best), str(before)} for update in summary["updates"])
    assert summary["requests"] > 100
    assert summary["failed_requests"] == 0
    assert whole_walk.processes() == []


def test_a_second_walk_trains_nothing_and_can_be_interrupted_while_prod_is_updated(
    whole_walk: Any, start_in_one_folder: Callable[[], Any]
) -> None:
    _, before = (update["version"] for update in whole_walk.summary["updates"])
    second = start_in_one_folder()
    second.wait_for("Prod / Deploy", seconds=240)
    assert second.output.count("model-build: started") == 1
    assert "Tune was not run again" in second.output
    assert f"Version {before} is pinned and served already" in second.output
    _assert_an_interrupt_leaves_nothing(second)


@pytest.mark.parametrize("moment", ["Start the local cloud", "AWS answers", "Tune: Executing"])
def test_an_interrupt_of_the_first_walk_leaves_no_process(start_walk: Callable[[], Any], moment: str) -> None:
    walk = start_walk()
    walk.wait_for(moment)
    _assert_an_interrupt_leaves_nothing(walk)


def _assert_an_interrupt_leaves_nothing(walk: Any) -> None:
    assert walk.interrupt() == 130, walk.output
    deadline = time.monotonic() + 20
    while walk.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert walk.processes() == []
    assert walk.summary["ok"] is False
    assert "Interrupted" in walk.output
