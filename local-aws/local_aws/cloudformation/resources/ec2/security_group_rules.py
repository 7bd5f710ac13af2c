"""AWS::EC2: rules of security groups as resources of their own, for groups that name one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.ip_permissions import EGRESS, INGRESS, ip_permission, problem_of_rule
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource


class _Rule(NetworkResource):
    """A rule; its Ref is the rule's id. `direction` is a part of the names of EC2's operations."""

    direction: ClassVar[str]
    attribute_names = frozenset({"Id"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if not properties.get("GroupId") and not properties.get("GroupName"):
            return "Property GroupId cannot be empty."
        return problem_of_rule(properties)

    def create(self, wanted: Wanted) -> str:
        made = self._call(wanted, "authorize_security_group_{}", wanted.properties)
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._call(wanted, "update_security_group_rule_descriptions_{}", wanted.properties)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            self._call(wanted, "revoke_security_group_{}", wanted.properties)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}

    def _call(self, wanted: Wanted, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        group = {name: str(properties[name]) for name in ("GroupId", "GroupName") if properties.get(name)}
        call = getattr(wanted.client("ec2"), operation.format(self.direction))
        answer: dict[str, Any] = call(**group, IpPermissions=[ip_permission(properties)])
        return answer


@resource_type
class Ingress(_Rule):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupingress.html"""

    type_name = "AWS::EC2::SecurityGroupIngress"
    direction = "ingress"
    properties = INGRESS | {"GroupId", "GroupName"}
    required = frozenset({"IpProtocol"})
    replacing = properties - {"Description"}
    recorded = frozenset({"SourceSecurityGroupOwnerId"})


@resource_type
class Egress(_Rule):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupegress.html"""

    type_name = "AWS::EC2::SecurityGroupEgress"
    direction = "egress"
    properties = EGRESS | {"GroupId"}
    required = frozenset({"GroupId", "IpProtocol"})
    replacing = properties - {"Description"}
