"""AWS::ECS: clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ecs.container_resource import ContainerResource, retag

_PROVIDERS = ("CapacityProviders", "DefaultCapacityProviderStrategy")


@resource_type
class Cluster(ContainerResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-cluster.html"""

    type_name = "AWS::ECS::Cluster"
    properties = frozenset(
        {*_PROVIDERS, "ClusterName", "ClusterSettings", "Configuration", "ServiceConnectDefaults", "Tags"}
    )
    replacing = frozenset({"ClusterName"})
    name_property = "ClusterName"
    attribute_names = frozenset({"Arn"})

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("ClusterName", 255)
        wanted.client("ecs").create_cluster(**{**_request("CreateCluster", wanted.properties), "clusterName": name})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        ecs, after = wanted.client("ecs"), {"ClusterSettings": [], **wanted.properties}
        ecs.update_cluster(**{**_request("UpdateCluster", after), "cluster": physical_id})
        if any(before.get(name) != after.get(name) for name in _PROVIDERS):
            providers = {name: after.get(name) or [] for name in _PROVIDERS}
            request = api_request("ecs", "PutClusterCapacityProviders", providers)
            ecs.put_cluster_capacity_providers(cluster=physical_id, **request)
        retag(wanted, self.attributes(wanted, physical_id)["Arn"], before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ecs").delete_cluster(cluster=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": wanted.cloud.arn(f"cluster/{physical_id}", "ecs")}


def _request(operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    given = {"settings" if name == "ClusterSettings" else name: value for name, value in properties.items()}
    return api_request("ecs", operation, given)
