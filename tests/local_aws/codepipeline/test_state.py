"""What is told of executions: their trigger, revisions and actions, and on EventBridge."""

from __future__ import annotations

import json
import uuid
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
    assert action["execution-result"]["error-code"] == "JobFailed"
    assert action["execution-result"]["external-execution-summary"].endswith(": no")
    assert told["CodePipeline Pipeline Execution State Change"]["pipeline-execution-attempt"] == 1
    events.remove_targets(Rule=rule, Ids=["queue"])
    events.delete_rule(Name=rule)
