"""AWS::CodeConnections, and AWS::CodeStarConnections as it was called: connections to git hosts.

One made by a stack is PENDING until a person has finished it in the console.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type


class _AnyConnection(ResourceType):
    """A connection by either name of its service; its Ref is its ARN."""

    service: ClassVar[str]
    properties = frozenset({"ConnectionName", "HostArn", "ProviderType", "Tags"})
    required = frozenset({"ConnectionName"})
    replacing = frozenset({"ConnectionName", "HostArn", "ProviderType"})
    attribute_names = frozenset({"ConnectionArn", "ConnectionStatus", "OwnerAccountId"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if not properties.get("ProviderType") and not properties.get("HostArn"):
            return "Either ProviderType or HostArn must be given."
        return None

    def create(self, wanted: Wanted) -> str:
        request = api_request(self.service, "CreateConnection", wanted.properties)
        return str(wanted.client(self.service).create_connection(**request)["ConnectionArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        connections, removed = wanted.client(self.service), tags_removed(before, wanted.properties)
        if removed:
            connections.untag_resource(ResourceArn=physical_id, TagKeys=removed)
        if wanted.properties.get("Tags"):
            tags = api_request(self.service, "TagResource", wanted.properties, "Tags")
            connections.tag_resource(ResourceArn=physical_id, **tags)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        connections = wanted.client(self.service)
        try:
            connections.delete_connection(ConnectionArn=physical_id)
        except connections.exceptions.ResourceNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client(self.service).get_connection(ConnectionArn=physical_id)["Connection"]
        return {
            "ConnectionArn": physical_id,
            "ConnectionStatus": found["ConnectionStatus"],
            "OwnerAccountId": found.get("OwnerAccountId", wanted.cloud.settings.account),
        }


@resource_type
class Connection(_AnyConnection):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codeconnections-connection.html"""

    type_name = "AWS::CodeConnections::Connection"
    service = "codeconnections"


@resource_type
class CodeStarConnection(_AnyConnection):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codestarconnections-connection.html"""

    type_name = "AWS::CodeStarConnections::Connection"
    service = "codestar-connections"
