"""AWS::EC2: security groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.ip_permissions import EGRESS, INGRESS, ip_permission, problem_of_rule
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource, retag, tag_specifications

# A new group lets everything out, until its template says what may go out.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
_ALL_OUT = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}


@resource_type
class SecurityGroup(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html"""

    type_name = "AWS::EC2::SecurityGroup"
    properties = frozenset(
        {"GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "Tags", "VpcId"}
    )
    required = frozenset({"GroupDescription"})
    replacing = frozenset({"GroupDescription", "GroupName", "VpcId"})
    name_property = "GroupName"
    attribute_names = frozenset({"GroupId", "Id", "VpcId"})
    members = {"SecurityGroupEgress": EGRESS, "SecurityGroupIngress": INGRESS}

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        for name in ("SecurityGroupIngress", "SecurityGroupEgress"):
            rules = properties.get(name) or []
            if not isinstance(rules, list):
                return f"Value of property {name} must be of type List"
            for rule in rules:
                if problem := problem_of_rule(rule):
                    return problem
        return None

    def create(self, wanted: Wanted) -> str:
        ec2, given = wanted.client("ec2"), wanted.properties
        made = ec2.create_security_group(
            GroupName=wanted.name("GroupName", 255),
            Description=str(given["GroupDescription"]),
            **({"VpcId": given["VpcId"]} if given.get("VpcId") else {}),
            **tag_specifications(given, "security-group"),
        )
        group = str(made["GroupId"])
        try:
            _change(ec2, group, {}, given)
        except ClientError:
            # Until it has its physical id nobody else knows that it is there.
            ec2.delete_security_group(GroupId=group)
            raise
        return group

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        _change(wanted.client("ec2"), physical_id, before, wanted.properties)
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_security_group(GroupId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("ec2").describe_security_groups(GroupIds=[physical_id])["SecurityGroups"][0]
        return {"GroupId": physical_id, "Id": physical_id, "VpcId": found["VpcId"]}


def _change(ec2: Any, group: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Take back the rules that are wanted no longer, then set the new ones; rules of other resources stay."""
    for name, default, revoke, authorize in (
        ("SecurityGroupIngress", [], ec2.revoke_security_group_ingress, ec2.authorize_security_group_ingress),
        ("SecurityGroupEgress", [_ALL_OUT], ec2.revoke_security_group_egress, ec2.authorize_security_group_egress),
    ):
        there = [ip_permission(rule) for rule in before.get(name) or default]
        wanted = [ip_permission(rule) for rule in after.get(name) or default]
        if gone := [each for each in there if each not in wanted]:
            revoke(GroupId=group, IpPermissions=gone)
        if new := [each for each in wanted if each not in there]:
            authorize(GroupId=group, IpPermissions=new)
