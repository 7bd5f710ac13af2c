"""What is told of executions: their trigger, revisions and actions, on EventBridge, and after a restart."""

from __future__ import annotations

import datetime
import json
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_new_pipeline_runs_once_by_itself_and_a_start_may_name_the_commit(pipelines: Any, declare: Any) -> None:
    name, first = pipelines.create(declare.stage("Deploy", pipelines.deployment()))
    pipelines.ended(name, first)
    (row,) = pipelines.executions(name)
    assert row["trigger"]["triggerType"] == "CreatePipeline"
    assert row["executionMode"] == "SUPERSEDED"
    assert row["executionType"] == "STANDARD"
    pipelines.push("Not this one")
    revision = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": pipelines.commit}
    second = pipelines.start(name, sourceRevisions=[revision])
    ended = pipelines.ended(name, second)
    assert ended["artifactRevisions"][0]["revisionId"] == pipelines.commit
    row = pipelines.executions(name)[0]
    assert row["sourceRevisions"][0]["actionName"] == "Source"
    assert row["sourceRevisions"][0]["revisionId"] == pipelines.commit
    assert row["trigger"]["triggerType"] == "StartPipelineExecution"
    source = pipelines.stages(name)["Source"]["actionStates"][0]
    assert source["currentRevision"]["revisionId"] == pipelines.commit
    with pytest.raises(pipelines.client.exceptions.ValidationException, match="the source actions Source"):
        pipelines.start(name, sourceRevisions=[{**revision, "actionName": "Sauce"}])
    with pytest.raises(pipelines.client.exceptions.PipelineExecutionNotFoundException):
        pipelines.execution(name, str(uuid.uuid4()))
    with pytest.raises(pipelines.client.exceptions.InvalidNextTokenException):
        pipelines.client.list_pipeline_executions(pipelineName=name, nextToken="elsewhere")
    page = pipelines.client.list_pipeline_executions(pipelineName=name, maxResults=1)
    assert page["pipelineExecutionSummaries"][0]["pipelineExecutionId"] == second
    rest = pipelines.client.list_pipeline_executions(pipelineName=name, nextToken=page["nextToken"])
    assert rest["pipelineExecutionSummaries"][0]["pipelineExecutionId"] == first


def test_actions_of_one_run_order_run_together(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(
        declare.stage(
            "Approve", declare.approval("One"), declare.approval("Two"), declare.approval("Three", runOrder=2)
        )
    )
    one = pipelines.asked(name, "Approve", action_name="One")
    two = pipelines.asked(name, "Approve", action_name="Two")
    assert pipelines.latest(name, "Approve", "Three") == {}
    pipelines.answer(name, "Approve", one, "Rejected", "no", action_name="One")
    assert pipelines.execution(name, execution)["status"] == "InProgress"
    pipelines.answer(name, "Approve", two, action_name="Two")
    assert pipelines.ended(name, execution)["status"] == "Failed"
    assert pipelines.latest(name, "Approve", "Three") == {}


def test_state_changes_are_told_to_eventbridge(pipelines: Any, declare: Any, cloud: Any) -> None:
    sqs, events = cloud.client("sqs"), cloud.client("events")
    rule = f"states-{uuid.uuid4().hex[:8]}"
    queue = sqs.create_queue(QueueName=rule)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    declaration = pipelines.declaration(pipelines.source(), declare.stage("Approve", declare.approval()))
    pattern = {"source": ["aws.codepipeline"], "detail": {"pipeline": [declaration["name"]], "state": ["FAILED"]}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    name = pipelines.client.create_pipeline(pipeline=declaration)["pipeline"]["name"]
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve"), "Rejected", "no")
    told: dict[str, Any] = {}
    for _ in range(10):
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(message["Body"])
            told[event["detail-type"]] = event["detail"]
        if len(told) == 3:
            break
    assert sorted(told) == [f"CodePipeline {what} Execution State Change" for what in ("Action", "Pipeline", "Stage")]
    action = told["CodePipeline Action Execution State Change"]
    assert (action["stage"], action["action"], action["type"]["category"]) == ("Approve", "Ask", "Approval")
    events.remove_targets(Rule=rule, Ids=["queue"])
    events.delete_rule(Name=rule)


def test_an_approval_goes_on_waiting_after_a_restart_and_what_ran_has_failed(
    make_cloud: Callable[..., Any], pipelines_of: Any, declare: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    pipelines = pipelines_of(make_cloud(home))
    name, first = pipelines.create(
        declare.stage("Approve", declare.approval()), declare.stage("Deploy", pipelines.deployment())
    )
    token = pipelines.asked(name, "Approve", first)
    waiting = pipelines.start(name)
    pipelines.waits(name, "Approve", waiting)
    pipelines.cloud.stop()
    again = make_cloud(home)
    pipelines.cloud, pipelines.client = again, again.client("codepipeline")
    assert pipelines.asked(name, "Approve", first) == token
    pipelines.answer(name, "Approve", token)
    assert pipelines.ended(name, first)["status"] == "Succeeded"
    old = pipelines.asked(name, "Approve", waiting)
    # Nobody gives the second one: after a week (of which the test has no time) it has run out.
    again.stop()
    week = datetime.timedelta(days=7, minutes=1)
    with sqlite3.connect(home / "state.sqlite") as database:
        (text,) = database.execute("SELECT body FROM resources WHERE name=?", (waiting,)).fetchone()
        body = json.loads(text)
        for action in body["_actions"].values():
            action["startTime"]["$time"] -= week.total_seconds()
        database.execute("UPDATE resources SET body=? WHERE name=?", (json.dumps(body), waiting))
    third = make_cloud(home)
    pipelines.cloud, pipelines.client = third, third.client("codepipeline")
    assert pipelines.ended(name, waiting)["status"] == "Failed"
    details = pipelines.latest(name, "Approve", "Ask")["errorDetails"]
    assert "neither given nor rejected within 10080 minutes" in details["message"]
    with pytest.raises(pipelines.client.exceptions.ApprovalAlreadyCompletedException):
        pipelines.answer(name, "Approve", old)
