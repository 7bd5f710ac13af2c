"""AWS::EC2: how a VPC reaches the outside: internet and NAT gateways, and elastic addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource, retag, tag_specifications


@resource_type
class InternetGateway(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-internetgateway.html"""

    type_name = "AWS::EC2::InternetGateway"
    properties = frozenset({"Tags"})
    attribute_names = frozenset({"InternetGatewayId"})

    def create(self, wanted: Wanted) -> str:
        tags = tag_specifications(wanted.properties, "internet-gateway")
        return str(wanted.client("ec2").create_internet_gateway(**tags)["InternetGateway"]["InternetGatewayId"])

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_internet_gateway(InternetGatewayId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"InternetGatewayId": physical_id}


@resource_type
class VpcGatewayAttachment(NetworkResource):
    """A gateway at its VPC; its Ref is `IGW|<VPC>` or `VGW|<VPC>`.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcgatewayattachment.html
    """

    type_name = "AWS::EC2::VPCGatewayAttachment"
    properties = frozenset({"InternetGatewayId", "VpcId", "VpnGatewayId"})
    required = frozenset({"VpcId"})
    replacing = frozenset({"VpcId"})
    attribute_names = frozenset({"AttachmentType"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        given = [name for name in ("InternetGatewayId", "VpnGatewayId") if properties.get(name)]
        return None if len(given) == 1 else "Specify either InternetGatewayId or VpnGatewayId"

    def create(self, wanted: Wanted) -> str:
        _attach(wanted, wanted.properties)
        kind = "IGW" if wanted.properties.get("InternetGatewayId") else "VGW"
        return f"{kind}|{wanted.properties['VpcId']}"

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        _detach(wanted, before)
        _attach(wanted, wanted.properties)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        _detach(wanted, wanted.properties)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"AttachmentType": physical_id.partition("|")[0]}


def _attach(wanted: Wanted, properties: Mapping[str, Any]) -> None:
    ec2, vpc = wanted.client("ec2"), str(properties["VpcId"])
    if properties.get("InternetGatewayId"):
        ec2.attach_internet_gateway(InternetGatewayId=properties["InternetGatewayId"], VpcId=vpc)
    else:
        ec2.attach_vpn_gateway(VpnGatewayId=properties["VpnGatewayId"], VpcId=vpc)


def _detach(wanted: Wanted, properties: Mapping[str, Any]) -> None:
    ec2, vpc = wanted.client("ec2"), str(properties["VpcId"])
    with may_be_gone():
        if properties.get("InternetGatewayId"):
            ec2.detach_internet_gateway(InternetGatewayId=properties["InternetGatewayId"], VpcId=vpc)
        else:
            ec2.detach_vpn_gateway(VpnGatewayId=properties["VpnGatewayId"], VpcId=vpc)


@resource_type
class ElasticIp(NetworkResource):
    """An address that nobody can reach; its Ref is the address.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eip.html
    """

    type_name = "AWS::EC2::EIP"
    properties = frozenset(
        {
            "Address",
            "Domain",
            "InstanceId",
            "IpamPoolId",
            "NetworkBorderGroup",
            "PublicIpv4Pool",
            "Tags",
            "TransferAddress",
        }
    )
    replacing = frozenset({"Address", "IpamPoolId", "NetworkBorderGroup", "TransferAddress"})
    recorded = frozenset({"InstanceId", "IpamPoolId", "NetworkBorderGroup", "PublicIpv4Pool", "TransferAddress"})
    attribute_names = frozenset({"AllocationId", "PublicIp"})

    def create(self, wanted: Wanted) -> str:
        request = {"Domain": "vpc", **api_request("ec2", "AllocateAddress", wanted.properties, "Address", "Domain")}
        tags = tag_specifications(wanted.properties, "elastic-ip")
        return str(wanted.client("ec2").allocate_address(**request, **tags)["PublicIp"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        retag(wanted, _allocation(wanted, physical_id), before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").release_address(AllocationId=_allocation(wanted, physical_id))

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"AllocationId": _allocation(wanted, physical_id), "PublicIp": physical_id}


def _allocation(wanted: Wanted, address: str) -> str:
    return str(wanted.client("ec2").describe_addresses(PublicIps=[address])["Addresses"][0]["AllocationId"])


@resource_type
class NatGateway(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html"""

    type_name = "AWS::EC2::NatGateway"
    properties = frozenset(
        {
            "AllocationId",
            "AvailabilityMode",
            "AvailabilityZoneAddresses",
            "ConnectivityType",
            "MaxDrainDurationSeconds",
            "PrivateIpAddress",
            "SecondaryAllocationIds",
            "SecondaryPrivateIpAddressCount",
            "SecondaryPrivateIpAddresses",
            "SubnetId",
            "Tags",
            "VpcId",
        }
    )
    replacing = frozenset(
        {"AllocationId", "AvailabilityMode", "ConnectivityType", "PrivateIpAddress", "SubnetId", "VpcId"}
    )
    recorded = frozenset(
        {
            "AvailabilityMode",
            "AvailabilityZoneAddresses",
            "MaxDrainDurationSeconds",
            "PrivateIpAddress",
            "SecondaryAllocationIds",
            "SecondaryPrivateIpAddressCount",
            "SecondaryPrivateIpAddresses",
            "VpcId",
        }
    )
    attribute_names = frozenset({"NatGatewayId"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        # One of a whole region, which has a VPC in the place of a subnet, is not among moto's.
        return None if properties.get("SubnetId") else "Property SubnetId cannot be empty."

    def create(self, wanted: Wanted) -> str:
        request = api_request(
            "ec2", "CreateNatGateway", wanted.properties, "AllocationId", "ConnectivityType", "SubnetId"
        )
        tags = tag_specifications(wanted.properties, "natgateway")
        return str(wanted.client("ec2").create_nat_gateway(**request, **tags)["NatGateway"]["NatGatewayId"])

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_nat_gateway(NatGatewayId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"NatGatewayId": physical_id}
