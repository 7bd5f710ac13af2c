"""The targets that moto carries: topics of SNS, queues of SQS, log groups of CloudWatch Logs."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from local_aws.events.delivery import NotDelivered, target
from local_aws.events.rules import Target

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_SERVICE = "events.amazonaws.com"


@target("sns")
def publish(cloud: Cloud, to: Target, text: str) -> str:
    """Publish to a topic whose policy lets EventBridge; the message's id.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    """
    sns = cloud.client("sns")
    policy = sns.get_topic_attributes(TopicArn=to.arn)["Attributes"].get("Policy", "{}")
    if not _lets_events(json.loads(policy), {"sns:publish", "sns:*", "*"}):
        raise NotDelivered(f"the policy of the topic does not allow sns:Publish to {_SERVICE}")
    return str(sns.publish(TopicArn=to.arn, Message=text)["MessageId"])


@target("sqs")
def send(cloud: Cloud, to: Target, text: str) -> str:
    """Send to a queue; the message's id. The policy of the queue is not looked at."""
    sqs = cloud.client("sqs")
    name = to.arn.rpartition(":")[2]
    group = to.settings.get("SqsParameters", {}).get("MessageGroupId")
    address = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    more = {"MessageGroupId": group} if group else {}
    return str(sqs.send_message(QueueUrl=address, MessageBody=text, **more)["MessageId"])


@target("logs")
def log(cloud: Cloud, to: Target, text: str) -> str:
    """Write to a log group, each event in a stream of its own; the stream's name."""
    logs = cloud.client("logs")
    group, stream = to.arn.split(":log-group:", 1)[-1].removesuffix(":*"), str(uuid.uuid4())
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    entry = {"timestamp": int(time.time() * 1000), "message": text}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[entry])
    return stream


def _lets_events(policy: dict[str, Any], actions: set[str]) -> bool:
    return any(
        statement.get("Effect") == "Allow"
        and _names_events(statement)
        and any(action.lower() in actions for action in _listed(statement.get("Action", [])))
        for statement in _listed(policy.get("Statement", []))
    )


def _names_events(statement: dict[str, Any]) -> bool:
    """Whether a statement is for EventBridge: by name, or for everyone and without a condition it would not meet."""
    principal = statement.get("Principal", {})
    if isinstance(principal, dict) and _SERVICE in _listed(principal.get("Service", [])):
        return True
    everyone = principal == "*" or (isinstance(principal, dict) and "*" in _listed(principal.get("AWS", [])))
    return everyone and not statement.get("Condition")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
