"""What all types of ECS share: tags by ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.described_only import DescribedOnly
from local_aws.cloudformation.resource_type import Wanted


class ContainerResource(DescribedOnly):
    """A part of a container service."""

    instead = "it runs no task"


def retag(wanted: Wanted, arn: str, before: Mapping[str, Any]) -> None:
    """Bring the tags of a resource to what they shall be now."""
    ecs = wanted.client("ecs")
    removed = tags_removed(before, wanted.properties)
    if removed:
        ecs.untag_resource(resourceArn=arn, tagKeys=removed)
    if wanted.properties.get("Tags"):
        ecs.tag_resource(resourceArn=arn, **api_request("ecs", "TagResource", wanted.properties, "Tags"))
