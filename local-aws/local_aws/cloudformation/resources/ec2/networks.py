"""AWS::EC2: VPCs and their subnets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource, retag, tag_specifications

# What a VPC has that a template does not mention: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
_DNS = {"EnableDnsSupport": "true", "EnableDnsHostnames": "false"}


@resource_type
class Vpc(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpc.html"""

    type_name = "AWS::EC2::VPC"
    properties = frozenset(
        {
            "CidrBlock",
            "EnableDnsHostnames",
            "EnableDnsSupport",
            "InstanceTenancy",
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Tags",
            "VpcEncryptionControl",
        }
    )
    replacing = frozenset({"CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "VpcEncryptionControl"})
    recorded = frozenset({"Ipv4IpamPoolId", "Ipv4NetmaskLength", "VpcEncryptionControl"})
    attribute_names = frozenset({"CidrBlock", "DefaultNetworkAcl", "DefaultSecurityGroup", "VpcId"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        # Without one the block comes from a pool of addresses, and there are no such pools here.
        return None if properties.get("CidrBlock") else "Property CidrBlock cannot be empty."

    def create(self, wanted: Wanted) -> str:
        request = api_request("ec2", "CreateVpc", wanted.properties, "CidrBlock", "InstanceTenancy")
        made = wanted.client("ec2").create_vpc(**request, **tag_specifications(wanted.properties, "vpc"))
        return str(made["Vpc"]["VpcId"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        for name, default in _DNS.items():
            value = canonical(wanted.properties.get(name, default)) == "true"
            wanted.client("ec2").modify_vpc_attribute(VpcId=physical_id, **{name: {"Value": value}})

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        tenancy = str(wanted.properties.get("InstanceTenancy", "default"))
        if tenancy != before.get("InstanceTenancy", "default"):
            wanted.client("ec2").modify_vpc_tenancy(VpcId=physical_id, InstanceTenancy=tenancy)
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_vpc(VpcId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        ec2, here = wanted.client("ec2"), {"Name": "vpc-id", "Values": [physical_id]}
        acls = ec2.describe_network_acls(Filters=[here, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
        named = {"Name": "group-name", "Values": ["default"]}
        groups = ec2.describe_security_groups(Filters=[here, named])["SecurityGroups"]
        return {
            "CidrBlock": ec2.describe_vpcs(VpcIds=[physical_id])["Vpcs"][0]["CidrBlock"],
            "DefaultNetworkAcl": acls[0]["NetworkAclId"],
            "DefaultSecurityGroup": groups[0]["GroupId"],
            "VpcId": physical_id,
        }


@resource_type
class Subnet(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnet.html"""

    type_name = "AWS::EC2::Subnet"
    properties = frozenset(
        {
            "AssignIpv6AddressOnCreation",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "CidrBlock",
            "EnableDns64",
            "EnableLniAtDeviceIndex",
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6CidrBlock",
            "Ipv6IpamPoolId",
            "Ipv6Native",
            "Ipv6NetmaskLength",
            "MapPublicIpOnLaunch",
            "OutpostArn",
            "PrivateDnsNameOptionsOnLaunch",
            "Tags",
            "VpcId",
        }
    )
    required = frozenset({"VpcId"})
    replacing = frozenset(
        {
            "AvailabilityZone",
            "AvailabilityZoneId",
            "CidrBlock",
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6CidrBlock",
            "Ipv6IpamPoolId",
            "Ipv6Native",
            "Ipv6NetmaskLength",
            "OutpostArn",
            "VpcId",
        }
    )
    recorded = frozenset(
        {
            "EnableDns64",
            "EnableLniAtDeviceIndex",
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6IpamPoolId",
            "Ipv6Native",
            "Ipv6NetmaskLength",
            "OutpostArn",
            "PrivateDnsNameOptionsOnLaunch",
        }
    )
    attribute_names = frozenset(
        {"AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "NetworkAclAssociationId", "SubnetId", "VpcId"}
    )

    def create(self, wanted: Wanted) -> str:
        request = api_request(
            "ec2",
            "CreateSubnet",
            wanted.properties,
            "AvailabilityZone",
            "AvailabilityZoneId",
            "CidrBlock",
            "Ipv6CidrBlock",
            "VpcId",
        )
        made = wanted.client("ec2").create_subnet(**request, **tag_specifications(wanted.properties, "subnet"))
        return str(made["Subnet"]["SubnetId"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        for name in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
            value = canonical(wanted.properties.get(name, "false")) == "true"
            wanted.client("ec2").modify_subnet_attribute(SubnetId=physical_id, **{name: {"Value": value}})

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_subnet(SubnetId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        ec2 = wanted.client("ec2")
        found = ec2.describe_subnets(SubnetIds=[physical_id])["Subnets"][0]
        acls = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [found["VpcId"]]}])["NetworkAcls"]
        associations = [each for acl in acls for each in acl["Associations"] if each["SubnetId"] == physical_id]
        return {
            **{name: found.get(name, "") for name in ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId")},
            "NetworkAclAssociationId": associations[0]["NetworkAclAssociationId"] if associations else "",
            "SubnetId": physical_id,
        }
