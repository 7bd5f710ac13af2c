"""Topics, subscriptions, rules and keys as resources: what they are in their services, and what their stack says."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

TOPIC = """
Parameters: {Address: {Type: String, Default: a@example.com}, Named: {Type: String, Default: Failures}}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: !Ref Named
      KmsMasterKeyId: alias/aws/sns
      Subscription:
        - {Protocol: email, Endpoint: !Ref Address}
        - {Protocol: sqs, Endpoint: "arn:aws:sqs:us-east-1:123456789012:QUEUE"}
      Tags: [{Key: owner, Value: ml}]
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: Events
            Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sns:Publish
            Resource: "*"
Outputs:
  Arn: {Value: !GetAtt Topic.TopicArn}
  Name: {Value: !GetAtt Topic.TopicName}
"""
RULE = """
Parameters: {State: {Type: String, Default: FAILED}, Targets: {Type: String, Default: "two"}}
Conditions: {Two: !Equals [!Ref Targets, two]}
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Description: what failed
      EventPattern:
        source: [aws.codepipeline]
        detail-type: [CodePipeline Pipeline Execution State Change]
        detail: {state: [!Ref State]}
      Targets:
        - Id: topic
          Arn: !Ref Topic
          RetryPolicy: {MaximumRetryAttempts: 2}
          InputTransformer:
            InputPathsMap: {pipeline: $.detail.pipeline}
            InputTemplate: '"<pipeline> failed"'
        - !If [Two, {Id: second, Arn: !Ref Topic}, !Ref "AWS::NoValue"]
Outputs:
  Arn: {Value: !GetAtt Rule.Arn}
"""


def subscriptions(cloud: Any, topic: str) -> set[str]:
    found = cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return {row["Endpoint"] for row in found}


def test_a_topic_is_made_changed_and_unmade_with_its_subscribers(stacks: Any, cloud: Any) -> None:
    queue = cloud.client("sqs").create_queue(QueueName=stacks.name())["QueueUrl"]
    template = TOPIC.replace("QUEUE", queue.rpartition("/")[2])
    name = stacks.create(template)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    sns, topic = cloud.client("sns"), stacks.resources(name)["Topic"]
    assert stacks.outputs(name) == {"Arn": topic, "Name": topic.rpartition(":")[2]}
    assert "a@example.com" in subscriptions(cloud, topic)
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert policy["Statement"][0]["Sid"] == "Events"
    assert stacks.update(name, template, {"Address": "b@example.com", "Named": "Alarms"})["StackStatus"] == (
        "UPDATE_COMPLETE"
    )
    assert stacks.resources(name)["Topic"] == topic
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "Alarms"
    found = subscriptions(cloud, topic)
    assert "b@example.com" in found
    assert "a@example.com" not in found
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    assert topic not in [row["TopicArn"] for row in sns.list_topics()["Topics"]]


def test_that_nobody_is_mailed_and_nothing_encrypted_is_said_in_the_events(stacks: Any) -> None:
    name = stacks.create(TOPIC)
    said = [reason for logical_id, _, reason in stacks.told(name) if logical_id == "Topic"]
    assert "a subscription by email is recorded, not carried out, by local-aws: it sends no email" in said
    assert "property KmsMasterKeyId is recorded, not carried out, by local-aws" in said
    assert not [reason for reason in said if "sqs" in reason]


def test_a_subscription_of_its_own_follows_its_filter(stacks: Any, cloud: Any) -> None:
    template = """
Parameters: {Level: {Type: String, Default: high}}
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Mail:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: email, Endpoint: a@example.com, FilterPolicy: {level: [!Ref Level]}}
"""
    name = stacks.create(template)
    sns, arn = cloud.client("sns"), stacks.resources(name)["Mail"]

    def policy() -> Any:
        return json.loads(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["FilterPolicy"])

    assert policy() == {"level": ["high"]}
    assert "sends no email" in stacks.reason(name, "Mail", "CREATE_IN_PROGRESS")
    assert stacks.update(name, template, {"Level": "low"})["StackStatus"] == "UPDATE_COMPLETE"
    assert policy() == {"level": ["low"]}
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_a_rule_and_its_targets_are_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    name = stacks.create(RULE)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    events, rule = cloud.client("events"), stacks.resources(name)["Rule"]
    assert stacks.outputs(name)["Arn"].endswith(f":rule/{rule}")

    def targets() -> dict[str, Any]:
        return {target["Id"]: target for target in events.list_targets_by_rule(Rule=rule)["Targets"]}

    assert set(targets()) == {"topic", "second"}
    assert targets()["topic"]["InputTransformer"]["InputPathsMap"] == {"pipeline": "$.detail.pipeline"}
    assert "Targets.RetryPolicy is recorded" in stacks.reason(name, "Rule", "CREATE_IN_PROGRESS")
    changed = {"State": "SUCCEEDED", "Targets": "one"}
    assert stacks.update(name, RULE, changed)["StackStatus"] == "UPDATE_COMPLETE"
    assert set(targets()) == {"topic"}
    assert json.loads(events.describe_rule(Name=rule)["EventPattern"])["detail"] == {"state": ["SUCCEEDED"]}
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name=rule)


def test_a_rule_that_waits_for_nothing_is_refused(stacks: Any) -> None:
    name = stacks.create("Resources: {Rule: {Type: AWS::Events::Rule, Properties: {Targets: []}}}")
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "EventPattern and ScheduleExpression" in stacks.reason(name, "Rule", "CREATE_FAILED")


def test_a_member_that_no_service_knows_fails_its_resource_by_name(stacks: Any) -> None:
    name = stacks.create(RULE.replace("InputTemplate:", "InputTemplat:"))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "InputTemplat" in stacks.reason(name, "Rule", "CREATE_FAILED")


def test_what_is_gone_already_is_no_obstacle_to_deletion(stacks: Any, cloud: Any) -> None:
    name = stacks.create(RULE)
    events, made = cloud.client("events"), stacks.resources(name)
    events.remove_targets(Rule=made["Rule"], Ids=["topic", "second"])
    events.delete_rule(Name=made["Rule"])
    cloud.client("sns").delete_topic(TopicArn=made["Topic"])
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_a_key_and_its_alias_are_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    template = """
Parameters: {Text: {Type: String, Default: one}}
Resources:
  Key: {Type: AWS::KMS::Key, Properties: {Description: !Ref Text, EnableKeyRotation: true, PendingWindowInDays: 7}}
  Alias: {Type: AWS::KMS::Alias, Properties: {AliasName: alias/NAME, TargetKeyId: !Ref Key}}
"""
    name = stacks.name()
    template = template.replace("NAME", name)
    stacks.create(template, StackName=name)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    kms = cloud.client("kms")
    assert kms.describe_key(KeyId=f"alias/{name}")["KeyMetadata"]["KeyId"] == stacks.resources(name)["Key"]
    assert stacks.update(name, template, {"Text": "two"})["StackStatus"] == "UPDATE_COMPLETE"
    assert kms.describe_key(KeyId=stacks.resources(name)["Key"])["KeyMetadata"]["Description"] == "two"
    key = stacks.resources(name)["Key"]
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_handle_makes_a_stack_of_nothing(stacks: Any) -> None:
    name = stacks.create("Resources: {Nothing: {Type: AWS::CloudFormation::WaitConditionHandle}}")
    assert stacks.status(name) == "CREATE_COMPLETE"
    assert stacks.resources(name)["Nothing"].startswith("http")
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_a_stack_tells_its_topics_what_happens_to_it(stacks: Any, cloud: Any) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name=stacks.name())["TopicArn"]
    queue = sqs.create_queue(QueueName=stacks.name())["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:123456789012:{queue.rpartition('/')[2]}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    name = stacks.create("Resources: {Group: {Type: AWS::Logs::LogGroup}}", NotificationARNs=[topic])
    told: list[str] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not any("CREATE_COMPLETE" in text and f"{name}'" in text for text in told):
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            told.append(json.loads(message["Body"])["Message"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    events = [(logical_id, status) for logical_id, status, _ in stacks.told(name)]
    assert [(value(text, "LogicalResourceId"), value(text, "ResourceStatus")) for text in told] == events
    assert value(told[0], "StackId") == stacks.describe(name)["StackId"]
    assert stacks.describe(name)["NotificationARNs"] == [topic]


def value(text: str, name: str) -> str:
    """What a message says of a name."""
    return next(line.partition("=")[2].strip("'") for line in text.splitlines() if line.startswith(f"{name}="))
