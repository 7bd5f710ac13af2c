"""AWS::ElasticLoadBalancingV2: load balancers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.elbv2.balancing_resource import BalancingResource, attribute_rows, retag

# The attributes a template can leave out again; what each is then.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "deletion_protection.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http2.enabled": "true",
}


@resource_type
class LoadBalancer(BalancingResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-loadbalancer.html"""

    type_name = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    properties = frozenset(
        {
            "EnableCapacityReservationProvisionStabilize",
            "EnablePrefixForIpv6SourceNat",
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
            "IpAddressType",
            "Ipv4IpamPoolId",
            "LoadBalancerAttributes",
            "MinimumLoadBalancerCapacity",
            "Name",
            "Scheme",
            "SecurityGroups",
            "SubnetMappings",
            "Subnets",
            "Tags",
            "Type",
        }
    )
    replacing = frozenset({"Name", "Scheme", "Type"})
    recorded = frozenset(
        {
            "EnableCapacityReservationProvisionStabilize",
            "EnablePrefixForIpv6SourceNat",
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
            "Ipv4IpamPoolId",
            "MinimumLoadBalancerCapacity",
        }
    )
    name_property = "Name"
    attribute_names = frozenset(
        {"CanonicalHostedZoneID", "DNSName", "LoadBalancerArn", "LoadBalancerFullName", "LoadBalancerName"}
    )

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        given = [name for name in ("Subnets", "SubnetMappings") if properties.get(name)]
        return None if len(given) == 1 else "You must specify either Subnets or SubnetMappings"

    def create(self, wanted: Wanted) -> str:
        given = {name: value for name, value in wanted.properties.items() if name not in self.recorded}
        request = api_request("elbv2", "CreateLoadBalancer", given)
        made = wanted.client("elbv2").create_load_balancer(**{**request, "Name": wanted.name("Name", 32)})
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        rows = attribute_rows(wanted.properties.get("LoadBalancerAttributes"))
        if rows:
            wanted.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=physical_id, Attributes=rows)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        elb, after = wanted.client("elbv2"), wanted.properties
        for name, operation in (
            ("IpAddressType", elb.set_ip_address_type),
            ("SecurityGroups", elb.set_security_groups),
            ("Subnets", elb.set_subnets),
            ("SubnetMappings", elb.set_subnets),
        ):
            if after.get(name) and after[name] != before.get(name):
                operation(LoadBalancerArn=physical_id, **{name: after[name]})
        there, wanted_keys = (
            {row["Key"] for row in attribute_rows(given.get("LoadBalancerAttributes"))} for given in (before, after)
        )
        dropped = [{"Key": key, "Value": _ATTRIBUTES.get(key, "")} for key in sorted(there - wanted_keys)]
        if dropped:
            elb.modify_load_balancer_attributes(LoadBalancerArn=physical_id, Attributes=dropped)
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("elbv2").delete_load_balancer(LoadBalancerArn=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("elbv2").describe_load_balancers(LoadBalancerArns=[physical_id])["LoadBalancers"][0]
        return {
            "CanonicalHostedZoneID": found.get("CanonicalHostedZoneId", ""),
            "DNSName": found["DNSName"],
            "LoadBalancerArn": physical_id,
            "LoadBalancerFullName": physical_id.partition(":loadbalancer/")[2],
            "LoadBalancerName": found["LoadBalancerName"],
        }
