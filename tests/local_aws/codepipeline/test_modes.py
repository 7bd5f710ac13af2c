"""Several executions of one pipeline at once: who waits, who is superseded, and what holds them before a stage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any


def test_who_waits_before_a_locked_stage_is_superseded_and_told_by_whom(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Approve", declare.approval()))
    token = pipelines.asked(name, "Approve", first)
    second = pipelines.start(name)
    pipelines.waits(name, "Approve", second)
    assert pipelines.execution(name, second)["status"] == "InProgress"
    third = pipelines.start(name)
    superseded = pipelines.ended(name, second)
    assert superseded["status"] == "Superseded"
    assert third in superseded["statusSummary"]
    state = pipelines.stages(name)["Approve"]
    assert state["latestExecution"]["pipelineExecutionId"] == first
    assert state["inboundExecution"]["pipelineExecutionId"] == third
    assert [inbound["status"] for inbound in state["inboundExecutions"]] == ["InProgress"]
    pipelines.answer(name, "Approve", token)
    assert pipelines.ended(name, first)["status"] == "Succeeded"
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve", third))
    assert pipelines.ended(name, third)["status"] == "Succeeded"
    assert [row["status"] for row in pipelines.executions(name)] == ["Succeeded", "Superseded", "Succeeded"]


def test_of_many_starts_at_once_the_newest_gets_through_and_none_fails(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Deploy", pipelines.deployment()))
    pipelines.ended(name, first)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: pipelines.start(name), range(8)))
    assert len(ids) == 8
    statuses = {execution: pipelines.ended(name, execution)["status"] for execution in ids}
    assert set(statuses.values()) <= {"Succeeded", "Superseded"}
    assert statuses[pipelines.executions(name)[0]["pipelineExecutionId"]] == "Succeeded"
    token = "same-token"
    assert len({pipelines.start(name, clientRequestToken=token) for _ in range(2)}) == 1


def test_a_failed_stage_lets_the_next_execution_in(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Approve", declare.approval()))
    token = pipelines.asked(name, "Approve", first)
    second = pipelines.start(name)
    pipelines.waits(name, "Approve", second)
    pipelines.answer(name, "Approve", token, "Rejected", "no")
    assert pipelines.ended(name, first)["status"] == "Failed"
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve", second))
    assert pipelines.ended(name, second)["status"] == "Succeeded"


def test_queued_executions_go_one_by_one_in_their_order(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Approve", declare.approval()), executionMode="QUEUED")
    ids = [first]
    for _ in range(2):
        pipelines.asked(name, "Approve", first)
        ids.append(pipelines.start(name))
        pipelines.waits(name, "Approve", ids[-1])
    waiting = [inbound["pipelineExecutionId"] for inbound in pipelines.stages(name)["Approve"]["inboundExecutions"]]
    assert waiting == ids[1:]
    for execution in ids:
        pipelines.answer(name, "Approve", pipelines.asked(name, "Approve", execution))
        assert pipelines.ended(name, execution)["status"] == "Succeeded"


def test_parallel_executions_do_not_wait_for_one_another(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Approve", declare.approval()), executionMode="PARALLEL")
    pipelines.asked(name, "Approve", first)
    second = pipelines.start(name)
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve", second))
    assert pipelines.ended(name, second)["status"] == "Succeeded"
    assert pipelines.execution(name, first)["status"] == "InProgress"
    pipelines.client.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=first, abandon=True)
    assert pipelines.ended(name, first)["status"] == "Stopped"


def test_a_closed_transition_holds_executions_until_it_is_opened(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Deploy", pipelines.deployment()))
    assert pipelines.ended(name, first)["status"] == "Succeeded"
    where = {"pipelineName": name, "stageName": "Deploy", "transitionType": "Inbound"}
    pipelines.client.disable_stage_transition(**where, reason="a freeze")
    second = pipelines.start(name)
    pipelines.waits(name, "Deploy", second)
    closed = pipelines.stages(name)["Deploy"]["inboundTransitionState"]
    assert (closed["enabled"], closed["disabledReason"]) == (False, "a freeze")
    third = pipelines.start(name)
    assert third in pipelines.ended(name, second)["statusSummary"]
    pipelines.client.enable_stage_transition(**where)
    assert pipelines.ended(name, third)["status"] == "Succeeded"
    assert pipelines.stages(name)["Deploy"]["inboundTransitionState"]["enabled"]
