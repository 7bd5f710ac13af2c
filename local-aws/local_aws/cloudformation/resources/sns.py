"""AWS::SNS: topics, who subscribes to them, and who may publish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, policy_text, tags_removed
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_SERVICE = "sns"
# The topic's attributes whose values are plain text. https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_TOPIC_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "SignatureVersion",
    "TracingConfig",
)
_SUBSCRIPTION_ATTRIBUTES = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
)
# What a message is really sent to from here.
_DELIVERED = ("sqs", "http", "https")


@resource_type
class Topic(ResourceType):
    """A topic; its Ref is its ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html
    """

    type_name = "AWS::SNS::Topic"
    properties = frozenset(
        {
            *_TOPIC_ATTRIBUTES,
            "ArchivePolicy",
            "DataProtectionPolicy",
            "DeliveryStatusLogging",
            "Subscription",
            "Tags",
            "TopicName",
        }
    )
    replacing = frozenset({"FifoTopic", "TopicName"})
    recorded = frozenset(
        {
            "ArchivePolicy",
            "DataProtectionPolicy",
            "DeliveryStatusLogging",
            "KmsMasterKeyId",
            "MaximumMessageSize",
            "SignatureVersion",
            "TracingConfig",
        }
    )
    name_property = "TopicName"
    attribute_names = frozenset({"TopicArn", "TopicName"})
    members = {"Subscription": frozenset({"Endpoint", "Protocol"})}

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        rows = properties.get("Subscription") or []
        if not isinstance(rows, list) or not all({"Endpoint", "Protocol"} <= set(row) for row in rows):
            return "Every item of Subscription must have Endpoint and Protocol."
        return None

    def remarks(self, properties: Mapping[str, Any]) -> list[str]:
        rows = properties.get("Subscription") or []
        return [*super().remarks(properties), *(told for row in rows for told in _undelivered(row))]

    def create(self, wanted: Wanted) -> str:
        fifo = canonical(wanted.properties.get("FifoTopic")) == "true"
        name = wanted.name("TopicName", 251 if fifo else 256)
        if fifo and not name.endswith(".fifo"):
            name = f"{name}.fifo"
        attributes = {key: value for key, value in _topic_attributes(wanted.properties).items() if value}
        tags = api_request(_SERVICE, "CreateTopic", wanted.properties, "Tags")
        return str(wanted.client(_SERVICE).create_topic(Name=name, Attributes=attributes, **tags)["TopicArn"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        """Subscribing again to what is subscribed already changes nothing."""
        for protocol, endpoint in sorted(_subscribers(wanted.properties)):
            wanted.client(_SERVICE).subscribe(TopicArn=physical_id, Protocol=protocol, Endpoint=endpoint)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        sns = wanted.client(_SERVICE)
        was, will = _topic_attributes(before), _topic_attributes(wanted.properties)
        for name in sorted({*was, *will} - {"FifoTopic"}):
            if was.get(name) != will.get(name):
                sns.set_topic_attributes(TopicArn=physical_id, AttributeName=name, AttributeValue=will.get(name, ""))
        gone = _subscribers(before) - _subscribers(wanted.properties)
        for row in _subscriptions(sns, physical_id) if gone else ():
            if (row["Protocol"], row["Endpoint"]) in gone and row["SubscriptionArn"].startswith("arn:"):
                sns.unsubscribe(SubscriptionArn=row["SubscriptionArn"])
        removed = tags_removed(before, wanted.properties)
        if removed:
            sns.untag_resource(ResourceArn=physical_id, TagKeys=removed)
        if wanted.properties.get("Tags"):
            tags = api_request(_SERVICE, "TagResource", wanted.properties, "Tags")
            sns.tag_resource(ResourceArn=physical_id, **tags)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        sns = wanted.client(_SERVICE)
        try:
            sns.delete_topic(TopicArn=physical_id)
        except sns.exceptions.NotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"TopicArn": physical_id, "TopicName": physical_id.rpartition(":")[2]}


def _topic_attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    given = {name: properties[name] for name in _TOPIC_ATTRIBUTES if properties.get(name) is not None}
    return {name: str(canonical(value)) for name, value in given.items()}


def _subscribers(properties: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(str(row["Protocol"]), str(row["Endpoint"])) for row in properties.get("Subscription") or []}


def _subscriptions(sns: Any, topic: str) -> list[dict[str, str]]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [row for page in pages for row in page["Subscriptions"]]


def _undelivered(subscription: Mapping[str, Any]) -> list[str]:
    protocol = str(subscription.get("Protocol"))
    if protocol in _DELIVERED:
        return []
    return [f"a subscription by {protocol} is recorded, not carried out, by local-aws: it sends no {protocol}"]


@resource_type
class Subscription(ResourceType):
    """A subscription of its own; its Ref is its ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-subscription.html
    """

    type_name = "AWS::SNS::Subscription"
    properties = frozenset({*_SUBSCRIPTION_ATTRIBUTES, "Endpoint", "Protocol", "Region", "ReplayPolicy", "TopicArn"})
    required = frozenset({"Protocol", "TopicArn"})
    replacing = frozenset({"Endpoint", "Protocol", "TopicArn"})
    recorded = frozenset({"DeliveryPolicy", "RedrivePolicy", "Region", "ReplayPolicy", "SubscriptionRoleArn"})
    attribute_names = frozenset({"Arn"})

    def remarks(self, properties: Mapping[str, Any]) -> list[str]:
        return [*super().remarks(properties), *(_undelivered(properties) if "Protocol" in properties else [])]

    def create(self, wanted: Wanted) -> str:
        request = api_request(_SERVICE, "Subscribe", wanted.properties, "Endpoint", "Protocol", "TopicArn")
        made = wanted.client(_SERVICE).subscribe(
            **request, Attributes=_subscription_attributes(wanted.properties), ReturnSubscriptionArn=True
        )
        return str(made["SubscriptionArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        was, will = _subscription_attributes(before), _subscription_attributes(wanted.properties)
        for name in sorted({*was, *will}):
            if was.get(name) != will.get(name):
                wanted.client(_SERVICE).set_subscription_attributes(
                    SubscriptionArn=physical_id, AttributeName=name, AttributeValue=will.get(name, "")
                )

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        sns = wanted.client(_SERVICE)
        try:
            sns.unsubscribe(SubscriptionArn=physical_id)
        except sns.exceptions.NotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": physical_id}


def _subscription_attributes(properties: Mapping[str, Any]) -> dict[str, str]:
    given = {name: properties[name] for name in _SUBSCRIPTION_ATTRIBUTES if properties.get(name) is not None}
    return {
        name: policy_text(value) if isinstance(value, Mapping) else str(canonical(value))
        for name, value in given.items()
    }


@resource_type
class TopicPolicy(ResourceType):
    """The policy of one or several topics, which have SNS's own again when it goes.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topicpolicy.html
    """

    type_name = "AWS::SNS::TopicPolicy"
    properties = frozenset({"PolicyDocument", "Topics"})
    required = properties
    attribute_names = frozenset({"Id"})

    def create(self, wanted: Wanted) -> str:
        return wanted.name("Id", 128)

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        for topic in wanted.properties["Topics"]:
            _set_policy(wanted, topic, policy_text(wanted.properties["PolicyDocument"]))

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        for topic in sorted(set(before["Topics"]) - set(wanted.properties["Topics"])):
            _reset_policy(wanted, topic)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        for topic in wanted.properties["Topics"]:
            _reset_policy(wanted, topic)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}


def _set_policy(wanted: Wanted, topic: str, policy: str) -> None:
    wanted.client(_SERVICE).set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)


def _reset_policy(wanted: Wanted, topic: str) -> None:
    """Let the account's own identities use the topic, and nobody else, as the policy of a new topic does."""
    account = wanted.cloud.settings.account
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:Publish", "SNS:Subscribe", "SNS:GetTopicAttributes", "SNS:SetTopicAttributes"],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    sns = wanted.client(_SERVICE)
    try:
        _set_policy(wanted, topic, policy_text({"Version": "2008-10-17", "Statement": [statement]}))
    except sns.exceptions.NotFoundException:
        return
