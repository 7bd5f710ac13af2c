"""What all types of EC2 share: tags, which EC2 keeps in a place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.described_only import DescribedOnly
from local_aws.cloudformation.resource_type import Wanted


class NetworkResource(DescribedOnly):
    """A part of a network."""

    instead = "it makes no network, and no packet is routed or filtered"

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        retag(wanted, physical_id, before)


def tag_specifications(properties: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The tags of a new resource of a kind (`vpc`), as a part of the request that makes it."""
    tags = api_request("ec2", "CreateTags", properties, "Tags").get("Tags")
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def retag(wanted: Wanted, resource_id: str, before: Mapping[str, Any]) -> None:
    """Give a resource the tags it shall have now, and take those it shall not have any more."""
    ec2 = wanted.client("ec2")
    removed = tags_removed(before, wanted.properties)
    if removed:
        ec2.delete_tags(Resources=[resource_id], Tags=[{"Key": key} for key in removed])
    if wanted.properties.get("Tags"):
        ec2.create_tags(Resources=[resource_id], **api_request("ec2", "CreateTags", wanted.properties, "Tags"))
