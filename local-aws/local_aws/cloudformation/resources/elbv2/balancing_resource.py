"""What all types of load balancing share: tags and attributes, which the service keeps in places of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.described_only import DescribedOnly
from local_aws.cloudformation.resource_type import Wanted


class BalancingResource(DescribedOnly):
    """A part of a load balancer; its Ref is its ARN."""

    instead = "it balances no requests, and nothing listens at its name"


def retag(wanted: Wanted, arn: str, before: Mapping[str, Any]) -> None:
    """Bring the tags of a resource to what they shall be now."""
    elb = wanted.client("elbv2")
    removed = tags_removed(before, wanted.properties)
    if removed:
        elb.remove_tags(ResourceArns=[arn], TagKeys=removed)
    if wanted.properties.get("Tags"):
        elb.add_tags(ResourceArns=[arn], **api_request("elbv2", "AddTags", wanted.properties, "Tags"))


def attribute_rows(attributes: Any) -> list[dict[str, str]]:
    """A list of Key and Value as the API takes it."""
    return [{"Key": str(row["Key"]), "Value": str(canonical(row["Value"]))} for row in attributes or []]
