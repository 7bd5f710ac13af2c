"""Approvals: what a person says decides, once, and by the token of the very request."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest


def test_a_rejected_approval_fails_the_stage_with_the_reviewers_words(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(
        declare.stage("Approve", declare.approval()), declare.stage("Prod", pipelines.deployment())
    )
    pipelines.answer(name, "Approve", pipelines.asked(name, "Approve"), "Rejected", "the recall is too low")
    ended = pipelines.ended(name, execution)
    assert ended["status"] == "Failed"
    assert "the recall is too low" in ended["statusSummary"]
    latest = pipelines.latest(name, "Approve", "Ask")
    assert latest["status"] == "Failed"
    assert latest["summary"] == "the recall is too low"
    assert latest["lastUpdatedBy"].startswith("arn:aws:iam::123456789012:")
    assert "latestExecution" not in pipelines.stages(name)["Prod"]


def test_an_approval_lets_the_execution_go_on(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(declare.stage("Approve", declare.approval()))
    assert pipelines.answer(name, "Approve", pipelines.asked(name, "Approve"), summary="fine")["approvedAt"]
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    assert pipelines.latest(name, "Approve", "Ask")["summary"] == "fine"


def test_a_token_that_is_wrong_or_used_is_refused(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(declare.stage("Approve", declare.approval()))
    token = pipelines.asked(name, "Approve")
    with pytest.raises(pipelines.client.exceptions.InvalidApprovalTokenException):
        pipelines.answer(name, "Approve", str(uuid.uuid4()))
    pipelines.answer(name, "Approve", token)
    with pytest.raises(pipelines.client.exceptions.ApprovalAlreadyCompletedException, match="Approved"):
        pipelines.answer(name, "Approve", token, "Rejected", "too late")
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    with pytest.raises(pipelines.client.exceptions.ActionNotFoundException):
        pipelines.answer(name, "Source", token, action_name="Source")
    with pytest.raises(pipelines.client.exceptions.StageNotFoundException):
        pipelines.answer(name, "Nowhere", token)


def test_what_is_to_be_approved_is_told_with_the_variables_filled_in(pipelines: Any, declare: Any, cloud: Any) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name=f"approvals-{uuid.uuid4().hex[:8]}")["TopicArn"]
    queue = sqs.create_queue(QueueName=f"approvals-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    asked = declare.approval(
        configuration={
            "NotificationArn": topic,
            "CustomData": "commit #{Source.CommitId} in #{codepipeline.PipelineExecutionId}",
            "ExternalEntityLink": "https://example.com/plan",
        }
    )
    commit = pipelines.push("Approve this")
    name, execution = pipelines.create(declare.stage("Approve", asked))
    token = pipelines.asked(name, "Approve")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    told = json.loads(json.loads(message["Body"])["Message"])["approval"]
    assert told["token"] == token
    assert told["customData"] == f"commit {commit} in {execution}"
    assert told["externalEntityLink"] == "https://example.com/plan"
    assert told["expires"]
    (state,) = pipelines.stages(name)["Approve"]["actionStates"]
    assert state["entityUrl"] == "https://example.com/plan"
    pipelines.answer(name, "Approve", token)
