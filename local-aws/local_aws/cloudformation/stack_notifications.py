"""A stack's events, published to the SNS topics that it was given, in the order in which they happened.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (NotificationARNs)
"""

from __future__ import annotations

import functools
import logging
import queue
import threading
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.cloud import Cloud

_LOG = logging.getLogger(__name__)
_SUBJECT = "AWS CloudFormation Notification"
_SHOWN = (
    "StackId",
    "Timestamp",
    "EventId",
    "LogicalResourceId",
    "PhysicalResourceId",
    "ResourceStatus",
    "ResourceStatusReason",
    "ResourceType",
    "StackName",
    "ClientRequestToken",
)

_Message = tuple[Cloud, str, str]


def publish(cloud: Cloud, topics: list[str], event: Mapping[str, Any]) -> None:
    """Have an event published soon; whoever makes it may hold the store, so nothing is waited for."""
    for topic in topics:
        _outbox().put((cloud, topic, text(event)))


def text(event: Mapping[str, Any]) -> str:
    """An event as CloudFormation writes it into a message: one `Name='value'` a line."""
    values = {**event, "Timestamp": event["Timestamp"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"}
    return "".join(f"{name}='{values.get(name, '')}'\n" for name in _SHOWN)


@functools.cache
def _outbox() -> queue.SimpleQueue[_Message]:
    messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    threading.Thread(target=_deliver, args=(messages,), name="stack notifications", daemon=True).start()
    return messages


def _deliver(messages: queue.SimpleQueue[_Message]) -> None:
    while True:
        cloud, topic, message = messages.get()
        if cloud.stopping.is_set():
            continue
        try:
            cloud.client("sns").publish(TopicArn=topic, Subject=_SUBJECT, Message=message)
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("no notification to %s: %s", topic, error)
