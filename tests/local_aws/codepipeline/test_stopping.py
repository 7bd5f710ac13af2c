"""Stopping executions, and running a failed stage again."""

from __future__ import annotations

from typing import Any

import pytest


def stop(pipelines: Any, name: str, execution: str, **more: Any) -> None:
    pipelines.client.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, **more)


def retry(pipelines: Any, name: str, execution: str, stage: str, mode: str = "FAILED_ACTIONS") -> None:
    pipelines.client.retry_stage_execution(
        pipelineName=name, pipelineExecutionId=execution, stageName=stage, retryMode=mode
    )


def test_an_abandoned_execution_ends_at_once_and_says_why(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(declare.stage("Approve", declare.approval()))
    token = pipelines.asked(name, "Approve")
    stop(pipelines, name, execution, abandon=True, reason="a mistake")
    ended = pipelines.ended(name, execution)
    assert (ended["status"], ended["statusSummary"]) == ("Stopped", "a mistake")
    assert pipelines.executions(name)[0]["stopTrigger"] == {"reason": "a mistake"}
    assert pipelines.latest(name, "Approve", "Ask")["status"] == "Abandoned"
    assert pipelines.stages(name)["Approve"]["latestExecution"]["status"] == "Stopped"
    with pytest.raises(pipelines.client.exceptions.ApprovalAlreadyCompletedException):
        pipelines.answer(name, "Approve", token)
    with pytest.raises(pipelines.client.exceptions.PipelineExecutionNotStoppableException):
        stop(pipelines, name, execution, abandon=True)


def test_a_stop_waits_for_what_runs_and_starts_nothing_more(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(
        declare.stage("Approve", declare.approval(), declare.approval("Later", runOrder=2)),
        declare.stage("Deploy", pipelines.deployment()),
    )
    token = pipelines.asked(name, "Approve")
    stop(pipelines, name, execution, reason="enough")
    assert pipelines.execution(name, execution)["status"] == "Stopping"
    with pytest.raises(pipelines.client.exceptions.DuplicatedStopRequestException):
        stop(pipelines, name, execution)
    pipelines.answer(name, "Approve", token)
    assert pipelines.ended(name, execution)["status"] == "Stopped"
    assert pipelines.latest(name, "Approve", "Ask")["status"] == "Succeeded"
    assert pipelines.latest(name, "Approve", "Later") == {}
    assert "latestExecution" not in pipelines.stages(name)["Deploy"]


def test_a_stop_that_is_turned_into_an_abandonment_keeps_its_reason_unless_it_is_given_another(
    pipelines: Any, declare: Any
) -> None:
    for given, told in (({}, "enough"), ({"reason": "at once"}, "at once")):
        name, execution = pipelines.create(declare.stage("Approve", declare.approval()))
        pipelines.asked(name, "Approve", execution)
        stop(pipelines, name, execution, reason="enough")
        stop(pipelines, name, execution, abandon=True, **given)
        ended = pipelines.ended(name, execution)
        assert (ended["status"], ended["statusSummary"]) == ("Stopped", told)
        assert pipelines.executions(name)[0]["stopTrigger"] == {"reason": told}


def test_an_execution_that_waits_before_a_stage_stops_there(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Approve", declare.approval()))
    pipelines.asked(name, "Approve", first)
    second = pipelines.start(name)
    pipelines.waits(name, "Approve", second)
    stop(pipelines, name, second)
    assert pipelines.ended(name, second)["status"] == "Stopped"
    stop(pipelines, name, first, abandon=True)


def test_a_retry_runs_the_failed_actions_alone_or_all(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(
        declare.stage("Approve", pipelines.deployment("Deploy"), declare.approval(runOrder=2)),
    )
    with pytest.raises(pipelines.client.exceptions.StageNotRetryableException):
        retry(pipelines, name, execution, "Source")
    first = pipelines.asked(name, "Approve")
    pipelines.answer(name, "Approve", first, "Rejected", "not yet")
    assert pipelines.ended(name, execution)["status"] == "Failed"
    deployed = pipelines.actions(name, execution)["Deploy"]["actionExecutionId"]
    retry(pipelines, name, execution, "Approve")
    second = pipelines.asked(name, "Approve")
    assert second != first
    assert pipelines.actions(name, execution)["Deploy"]["actionExecutionId"] == deployed
    assert pipelines.stages(name)["Approve"]["retryStageMetadata"] == {
        "manualStageRetryAttempt": 1,
        "latestRetryTrigger": "ManualStageRetry",
    }
    pipelines.answer(name, "Approve", second, "Rejected", "still not")
    pipelines.ended(name, execution)
    retry(pipelines, name, execution, "Approve", "ALL_ACTIONS")
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve"))
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    assert pipelines.actions(name, execution)["Deploy"]["actionExecutionId"] != deployed
    latest = {"pipelineExecutionId": execution, "startTimeRange": "Latest"}
    details = pipelines.client.list_action_executions(pipelineName=name, filter={"latestInPipelineExecution": latest})[
        "actionExecutionDetails"
    ]
    assert sorted(detail["actionName"] for detail in details) == ["Ask", "Deploy", "Source"]
    with pytest.raises(pipelines.client.exceptions.StageNotRetryableException, match="Succeeded"):
        retry(pipelines, name, execution, "Approve")


def test_a_retry_of_what_a_newer_execution_has_passed_is_refused(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Approve", declare.approval()))
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve", first), "Rejected", "no")
    pipelines.ended(name, first)
    second = pipelines.start(name)
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve", second))
    pipelines.ended(name, second)
    with pytest.raises(pipelines.client.exceptions.NotLatestPipelineExecutionException, match=second):
        retry(pipelines, name, first, "Approve")
    with pytest.raises(pipelines.client.exceptions.StageNotFoundException):
        retry(pipelines, name, first, "Nowhere")


def test_a_stage_that_retries_by_itself_does_so_once(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(
        declare.stage(
            "Approve",
            declare.approval(),
            onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}},
        )
    )
    first = pipelines.asked(name, "Approve")
    pipelines.answer(name, "Approve", first, "Rejected", "no")
    second = pipelines.until(
        lambda: pipelines.asked(name, "Approve"), lambda token: token != first, 30, "asked a second time"
    )
    assert pipelines.stages(name)["Approve"]["retryStageMetadata"]["autoStageRetryAttempt"] == 1
    pipelines.answer(name, "Approve", second, "Rejected", "no again")
    ended = pipelines.ended(name, execution)
    assert ended["status"] == "Failed"
    assert "no again" in ended["statusSummary"]
