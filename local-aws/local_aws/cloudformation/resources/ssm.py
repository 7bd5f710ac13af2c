"""AWS::SSM: parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type


@resource_type
class Parameter(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html"""

    type_name = "AWS::SSM::Parameter"
    properties = frozenset(
        {"AllowedPattern", "DataType", "Description", "Name", "Policies", "Tags", "Tier", "Type", "Value"}
    )
    required = frozenset({"Type", "Value"})
    replacing = frozenset({"Name"})
    recorded = frozenset({"AllowedPattern", "Policies", "Tier"})
    name_property = "Name"
    attribute_names = frozenset({"Type", "Value"})
    tags_are_a_map = True

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("Name", 1011)
        self._put(wanted, name, overwrite=False)
        self._tag(wanted, name, {})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._put(wanted, physical_id, overwrite=True)
        self._tag(wanted, physical_id, before)

    def _put(self, wanted: Wanted, name: str, overwrite: bool) -> None:
        request = api_request(
            "ssm",
            "PutParameter",
            wanted.properties,
            "AllowedPattern",
            "DataType",
            "Description",
            "Tier",
            "Type",
            "Value",
        )
        wanted.client("ssm").put_parameter(**{**request, "Name": name, "Overwrite": overwrite})

    def _tag(self, wanted: Wanted, name: str, before: Mapping[str, Any]) -> None:
        ssm, tags = wanted.client("ssm"), wanted.properties.get("Tags") or {}
        removed = sorted(set(before.get("Tags") or {}) - set(tags))
        if removed:
            ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=name, TagKeys=removed)
        if tags:
            rows = [{"Key": key, "Value": str(value)} for key, value in tags.items()]
            ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=rows)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        ssm = wanted.client("ssm")
        try:
            ssm.delete_parameter(Name=physical_id)
        except ssm.exceptions.ParameterNotFound:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        # As the template has it: what a dynamic reference in it names, a secret perhaps, is not the stack's to keep.
        return {name: wanted.properties[name] for name in sorted(self.attribute_names)}
