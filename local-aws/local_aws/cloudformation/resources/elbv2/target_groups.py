"""AWS::ElasticLoadBalancingV2: target groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.elbv2.balancing_resource import BalancingResource, attribute_rows, retag


@resource_type
class TargetGroup(BalancingResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-targetgroup.html"""

    type_name = "AWS::ElasticLoadBalancingV2::TargetGroup"
    properties = frozenset(
        {
            "HealthCheckEnabled",
            "HealthCheckIntervalSeconds",
            "HealthCheckPath",
            "HealthCheckPort",
            "HealthCheckProtocol",
            "HealthCheckTimeoutSeconds",
            "HealthyThresholdCount",
            "IpAddressType",
            "Matcher",
            "Name",
            "Port",
            "Protocol",
            "ProtocolVersion",
            "Tags",
            "TargetControlPort",
            "TargetGroupAttributes",
            "TargetType",
            "Targets",
            "UnhealthyThresholdCount",
            "VpcId",
        }
    )
    replacing = frozenset({"IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"})
    recorded = frozenset({"TargetControlPort"})
    name_property = "Name"
    attribute_names = frozenset({"LoadBalancerArns", "TargetGroupArn", "TargetGroupFullName", "TargetGroupName"})

    def create(self, wanted: Wanted) -> str:
        request = api_request("elbv2", "CreateTargetGroup", wanted.properties)
        made = wanted.client("elbv2").create_target_group(**{**request, "Name": wanted.name("Name", 32)})
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        elb, rows = wanted.client("elbv2"), attribute_rows(wanted.properties.get("TargetGroupAttributes"))
        if rows:
            elb.modify_target_group_attributes(TargetGroupArn=physical_id, Attributes=rows)
        if wanted.properties.get("Targets"):
            request = api_request("elbv2", "RegisterTargets", wanted.properties, "Targets")
            elb.register_targets(TargetGroupArn=physical_id, **request)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        elb = wanted.client("elbv2")
        request = api_request("elbv2", "ModifyTargetGroup", wanted.properties)
        elb.modify_target_group(**{**request, "TargetGroupArn": physical_id})
        gone = [row for row in before.get("Targets") or [] if row not in (wanted.properties.get("Targets") or [])]
        if gone:
            request = api_request("elbv2", "DeregisterTargets", {"Targets": gone})
            elb.deregister_targets(TargetGroupArn=physical_id, **request)
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("elbv2").delete_target_group(TargetGroupArn=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("elbv2").describe_target_groups(TargetGroupArns=[physical_id])["TargetGroups"][0]
        return {
            "LoadBalancerArns": found.get("LoadBalancerArns", []),
            "TargetGroupArn": physical_id,
            "TargetGroupFullName": physical_id.rpartition(":")[2],
            "TargetGroupName": found["TargetGroupName"],
        }
