"""AWS::EC2: endpoints of AWS's services within a VPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource, retag, tag_specifications

# What of an endpoint changes by what is added and what is removed.
_LISTS = ("RouteTableIds", "SecurityGroupIds", "SubnetIds")


@resource_type
class VpcEndpoint(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpoint.html"""

    type_name = "AWS::EC2::VPCEndpoint"
    properties = frozenset(
        {
            *_LISTS,
            "DnsOptions",
            "IpAddressType",
            "PolicyDocument",
            "PrivateDnsEnabled",
            "ResourceConfigurationArn",
            "ServiceName",
            "ServiceNetworkArn",
            "ServiceRegion",
            "Tags",
            "VpcEndpointType",
            "VpcId",
        }
    )
    required = frozenset({"VpcId"})
    replacing = frozenset(
        {"ResourceConfigurationArn", "ServiceName", "ServiceNetworkArn", "ServiceRegion", "VpcEndpointType", "VpcId"}
    )
    recorded = frozenset(
        {"DnsOptions", "IpAddressType", "ResourceConfigurationArn", "ServiceNetworkArn", "ServiceRegion"}
    )
    attribute_names = frozenset({"CreationTimestamp", "DnsEntries", "Id", "NetworkInterfaceIds"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        return None if properties.get("ServiceName") else "Property ServiceName cannot be empty."

    def create(self, wanted: Wanted) -> str:
        request = api_request(
            "ec2",
            "CreateVpcEndpoint",
            wanted.properties,
            *_LISTS,
            "PolicyDocument",
            "PrivateDnsEnabled",
            "ServiceName",
            "VpcEndpointType",
            "VpcId",
        )
        tags = tag_specifications(wanted.properties, "vpc-endpoint")
        return str(wanted.client("ec2").create_vpc_endpoint(**request, **tags)["VpcEndpoint"]["VpcEndpointId"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        request = api_request("ec2", "ModifyVpcEndpoint", wanted.properties, "PolicyDocument", "PrivateDnsEnabled")
        for name in _LISTS:
            there, after = before.get(name) or [], wanted.properties.get(name) or []
            changes = {"Add": [each for each in after if each not in there]}
            changes["Remove"] = [each for each in there if each not in after]
            request |= {f"{verb}{name}": ids for verb, ids in changes.items() if ids}
        wanted.client("ec2").modify_vpc_endpoint(VpcEndpointId=physical_id, **request)
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[physical_id])

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[physical_id])["VpcEndpoints"][0]
        return {
            "CreationTimestamp": str(found.get("CreationTimestamp", "")),
            "DnsEntries": [f"{each.get('HostedZoneId', '')}:{each['DnsName']}" for each in found.get("DnsEntries", [])],
            "Id": physical_id,
            "NetworkInterfaceIds": found.get("NetworkInterfaceIds", []),
        }
