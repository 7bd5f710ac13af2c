"""AWS::ECS: task definitions, each a revision that never changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ecs.container_resource import ContainerResource, retag


@resource_type
class TaskDefinition(ContainerResource):
    """A revision of a family; its Ref is its ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-taskdefinition.html
    """

    type_name = "AWS::ECS::TaskDefinition"
    properties = frozenset(
        {
            "ContainerDefinitions",
            "Cpu",
            "EnableFaultInjection",
            "EphemeralStorage",
            "ExecutionRoleArn",
            "Family",
            "InferenceAccelerators",
            "IpcMode",
            "Memory",
            "NetworkMode",
            "PidMode",
            "PlacementConstraints",
            "ProxyConfiguration",
            "RequiresCompatibilities",
            "RuntimePlatform",
            "Tags",
            "TaskRoleArn",
            "Volumes",
        }
    )
    replacing = properties - {"Tags"}
    recorded = frozenset({"EnableFaultInjection"})
    attribute_names = frozenset({"TaskDefinitionArn"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        containers = properties.get("ContainerDefinitions")
        if not isinstance(containers, list) or not containers:
            return "Value of property ContainerDefinitions must be a list of at least one container"
        fargate = "FARGATE" in (properties.get("RequiresCompatibilities") or [])
        missing = [name for name in ("Cpu", "Memory") if fargate and not properties.get(name)]
        return f"Fargate requires that '{missing[0].lower()}' be defined at the task level." if missing else None

    def create(self, wanted: Wanted) -> str:
        request = api_request("ecs", "RegisterTaskDefinition", wanted.properties)
        made = wanted.client("ecs").register_task_definition(**{**request, "family": wanted.name("Family", 255)})
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        # Deregistered once or twice is the same: a revision stays to be looked at for ever.
        wanted.client("ecs").deregister_task_definition(taskDefinition=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"TaskDefinitionArn": physical_id}
