"""Executions across a restart of local-aws: who waits goes on waiting, what ran has failed."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest


def test_an_approval_goes_on_waiting_after_a_restart_and_what_ran_has_failed(
    restartable: Callable[[], Any], pipelines_of: Any, declare: Any
) -> None:
    pipelines = pipelines_of(restartable())
    name, first = pipelines.create(
        declare.stage("Approve", declare.approval()), declare.stage("Deploy", pipelines.deployment())
    )
    token = pipelines.asked(name, "Approve", first)
    waiting = pipelines.start(name)
    pipelines.waits(name, "Approve", waiting)
    other, running = pipelines.create(declare.stage("Build", pipelines.build(pipelines.project("sleep 60"))))
    pipelines.built(other)
    pipelines.cloud.stop()
    again = restartable()
    pipelines.cloud, pipelines.client = again, again.client("codepipeline")
    assert pipelines.asked(name, "Approve", first) == token
    assert pipelines.ended(other, running)["status"] == "Failed"
    assert "local-aws was stopped" in pipelines.latest(other, "Build", "Build")["errorDetails"]["message"]
    pipelines.answer(name, "Approve", token)
    assert pipelines.ended(name, first)["status"] == "Succeeded"
    old = pipelines.asked(name, "Approve", waiting)
    # Nobody gives the second one: after a week (of which the test has no time) it has run out.
    again.stop()
    week, row = datetime.timedelta(days=7, minutes=1), ("codepipeline_execution", waiting)
    with sqlite3.connect(again.home / "state.sqlite") as database:
        (text,) = database.execute("SELECT body FROM resources WHERE kind=? AND name=?", row).fetchone()
        body = json.loads(text)
        for action in body["_actions"].values():
            action["startTime"]["$time"] -= week.total_seconds()
        database.execute("UPDATE resources SET body=? WHERE kind=? AND name=?", (json.dumps(body), *row))
    third = restartable()
    pipelines.cloud, pipelines.client = third, third.client("codepipeline")
    assert pipelines.ended(name, waiting)["status"] == "Failed"
    details = pipelines.latest(name, "Approve", "Ask")["errorDetails"]
    assert "neither given nor rejected within 10080 minutes" in details["message"]
    with pytest.raises(pipelines.client.exceptions.ApprovalAlreadyCompletedException):
        pipelines.answer(name, "Approve", old)


def test_a_stop_that_waits_for_an_approval_goes_on_waiting_after_a_restart(
    restartable: Callable[[], Any], pipelines_of: Any, declare: Any
) -> None:
    pipelines = pipelines_of(restartable())
    # Of the first stage one action is over already, and another would follow.
    deployed_before = pipelines.deployment("Before")
    name, execution = pipelines.create(
        declare.stage("Approve", deployed_before, declare.approval(runOrder=2), declare.approval("Later", runOrder=3)),
        declare.stage("Deploy", pipelines.deployment()),
    )
    token = pipelines.asked(name, "Approve", execution)
    pipelines.client.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, reason="enough")
    pipelines.cloud.process.kill()
    pipelines.cloud.process.wait()
    again = restartable()
    pipelines.cloud, pipelines.client = again, again.client("codepipeline")
    assert pipelines.execution(name, execution)["status"] == "Stopping"
    assert pipelines.asked(name, "Approve", execution) == token
    pipelines.answer(name, "Approve", token)
    ended = pipelines.ended(name, execution)
    assert (ended["status"], ended["statusSummary"]) == ("Stopped", "enough")
    assert pipelines.latest(name, "Approve", "Ask")["status"] == "Succeeded"
    assert pipelines.latest(name, "Approve", "Later") == {}
    assert "latestExecution" not in pipelines.stages(name)["Deploy"]
