"""AWS::ECS: services, of which no task ever starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ecs.container_resource import ContainerResource, retag

_RENAMED = {"PlacementStrategies": "PlacementStrategy"}
# What UpdateService is told of a property that the template no longer has: left out, it would stay as it was.
_DEFAULTS: dict[str, Any] = {
    "DeploymentConfiguration": {"MaximumPercent": 200, "MinimumHealthyPercent": 100},
    "EnableExecuteCommand": False,
    "HealthCheckGracePeriodSeconds": 0,
    "LoadBalancers": [],
    "ServiceRegistries": [],
}


@resource_type
class Service(ContainerResource):
    """A service; its Ref is its ARN. It is in service at once, since there is nothing to wait for.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html
    """

    type_name = "AWS::ECS::Service"
    properties = frozenset(
        {
            *_DEFAULTS,
            "AvailabilityZoneRebalancing",
            "CapacityProviderStrategy",
            "Cluster",
            "DeploymentController",
            "DesiredCount",
            "EnableECSManagedTags",
            "ForceNewDeployment",
            "GatewayConnectors",
            "LaunchType",
            "Monitoring",
            "NetworkConfiguration",
            "PlacementConstraints",
            "PlacementStrategies",
            "PlatformVersion",
            "PropagateTags",
            "Role",
            "SchedulingStrategy",
            "ServiceConnectConfiguration",
            "ServiceName",
            "Tags",
            "TaskDefinition",
            "VolumeConfigurations",
            "VpcLatticeConfigurations",
        }
    )
    replacing = frozenset({"Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName"})
    recorded = frozenset(
        {
            "ForceNewDeployment",
            "GatewayConnectors",
            "Monitoring",
            "ServiceConnectConfiguration",
            "VolumeConfigurations",
            "VpcLatticeConfigurations",
        }
    )
    name_property = "ServiceName"
    attribute_names = frozenset({"Name", "ServiceArn"})

    def create(self, wanted: Wanted) -> str:
        request = _request("CreateService", {"DesiredCount": 1, **self._kept(wanted)})
        made = wanted.client("ecs").create_service(**{**request, "serviceName": wanted.name("ServiceName", 255)})
        return str(made["service"]["serviceArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        dropped = {name: value for name, value in _DEFAULTS.items() if name in before}
        request = _request("UpdateService", {**dropped, **self._kept(wanted)})
        wanted.client("ecs").update_service(**{**request, "service": physical_id})
        retag(wanted, physical_id, before)

    def _kept(self, wanted: Wanted) -> dict[str, Any]:
        return {name: value for name, value in wanted.properties.items() if name not in self.recorded}

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        cluster = str(wanted.properties.get("Cluster") or "default")
        with may_be_gone():
            wanted.client("ecs").delete_service(cluster=cluster, service=physical_id, force=True)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Name": physical_id.rpartition("/")[2], "ServiceArn": physical_id}


def _request(operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return api_request("ecs", operation, {_RENAMED.get(name, name): value for name, value in properties.items()})
