"""What all types of RDS share: names in lower case, and tags by ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.described_only import DescribedOnly
from local_aws.cloudformation.resource_type import Wanted


class DatabaseResource(DescribedOnly):
    """A part of a database."""

    instead = "it runs no database, and nobody can connect to its endpoint"


def retag(wanted: Wanted, resource: str, before: Mapping[str, Any]) -> None:
    """Bring the tags of a resource (the end of its ARN: `cluster:name`) to what they shall be now."""
    rds, arn = wanted.client("rds"), wanted.cloud.arn(resource, "rds")
    removed = tags_removed(before, wanted.properties)
    if removed:
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=removed)
    if wanted.properties.get("Tags"):
        tags = api_request("rds", "AddTagsToResource", wanted.properties, "Tags")
        rds.add_tags_to_resource(ResourceName=arn, **tags)
