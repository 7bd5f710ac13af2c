"""AWS::ElasticLoadBalancingV2: rules of listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.elbv2.balancing_resource import BalancingResource, retag


@resource_type
class ListenerRule(BalancingResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-listenerrule.html"""

    type_name = "AWS::ElasticLoadBalancingV2::ListenerRule"
    properties = frozenset({"Actions", "Conditions", "ListenerArn", "Priority", "Tags", "Transforms"})
    required = frozenset({"Actions", "Conditions", "Priority"})
    replacing = frozenset({"ListenerArn"})
    recorded = frozenset({"Transforms"})
    attribute_names = frozenset({"IsDefault", "RuleArn"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        return None if properties.get("ListenerArn") else "Property ListenerArn cannot be empty."

    def create(self, wanted: Wanted) -> str:
        request = api_request(
            "elbv2", "CreateRule", wanted.properties, "Actions", "Conditions", "ListenerArn", "Priority", "Tags"
        )
        return str(wanted.client("elbv2").create_rule(**request)["Rules"][0]["RuleArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        elb, after = wanted.client("elbv2"), wanted.properties
        request = api_request("elbv2", "ModifyRule", after, "Actions", "Conditions")
        elb.modify_rule(**{**request, "RuleArn": physical_id})
        if canonical(after["Priority"]) != canonical(before["Priority"]):
            elb.set_rule_priorities(RulePriorities=[{"RuleArn": physical_id, "Priority": int(after["Priority"])}])
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("elbv2").delete_rule(RuleArn=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"IsDefault": "false", "RuleArn": physical_id}
