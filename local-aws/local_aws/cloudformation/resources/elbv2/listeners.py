"""AWS::ElasticLoadBalancingV2: listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.elbv2.balancing_resource import BalancingResource, attribute_rows, retag


@resource_type
class Listener(BalancingResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-listener.html"""

    type_name = "AWS::ElasticLoadBalancingV2::Listener"
    properties = frozenset(
        {
            "AlpnPolicy",
            "Certificates",
            "DefaultActions",
            "ListenerAttributes",
            "LoadBalancerArn",
            "MutualAuthentication",
            "Port",
            "Protocol",
            "SslPolicy",
            "Tags",
        }
    )
    required = frozenset({"DefaultActions", "LoadBalancerArn"})
    replacing = frozenset({"LoadBalancerArn"})
    recorded = frozenset({"MutualAuthentication"})
    attribute_names = frozenset({"ListenerArn"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if properties.get("Protocol") in ("HTTPS", "TLS") and not properties.get("Certificates"):
            return f"A certificate must be specified for {properties['Protocol']} listeners"
        return None

    def create(self, wanted: Wanted) -> str:
        request = api_request("elbv2", "CreateListener", _served(wanted))
        return str(wanted.client("elbv2").create_listener(**request)["Listeners"][0]["ListenerArn"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        rows = attribute_rows(wanted.properties.get("ListenerAttributes"))
        if rows:
            wanted.client("elbv2").modify_listener_attributes(ListenerArn=physical_id, Attributes=rows)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        request = api_request("elbv2", "ModifyListener", {"Certificates": [], **_served(wanted)})
        wanted.client("elbv2").modify_listener(**{**request, "ListenerArn": physical_id})
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("elbv2").delete_listener(ListenerArn=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"ListenerArn": physical_id}


def _served(wanted: Wanted) -> dict[str, Any]:
    return {name: value for name, value in wanted.properties.items() if name not in Listener.recorded}
