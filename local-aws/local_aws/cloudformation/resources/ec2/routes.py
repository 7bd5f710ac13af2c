"""AWS::EC2: route tables, their routes, and the subnets that use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource, tag_specifications

_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


@resource_type
class RouteTable(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-routetable.html"""

    type_name = "AWS::EC2::RouteTable"
    properties = frozenset({"Tags", "VpcId"})
    required = frozenset({"VpcId"})
    replacing = frozenset({"VpcId"})
    attribute_names = frozenset({"RouteTableId"})

    def create(self, wanted: Wanted) -> str:
        tags = tag_specifications(wanted.properties, "route-table")
        made = wanted.client("ec2").create_route_table(VpcId=wanted.properties["VpcId"], **tags)
        return str(made["RouteTable"]["RouteTableId"])

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_route_table(RouteTableId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"RouteTableId": physical_id}


@resource_type
class Route(NetworkResource):
    """One way out of a table; its Ref is `<route table>|<destination>`.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-route.html
    """

    type_name = "AWS::EC2::Route"
    properties = frozenset(
        {
            *_DESTINATIONS,
            "CarrierGatewayId",
            "CoreNetworkArn",
            "EgressOnlyInternetGatewayId",
            "GatewayId",
            "InstanceId",
            "LocalGatewayId",
            "NatGatewayId",
            "NetworkInterfaceId",
            "OdbNetworkArn",
            "RouteTableId",
            "TransitGatewayId",
            "VpcEndpointId",
            "VpcPeeringConnectionId",
        }
    )
    required = frozenset({"RouteTableId"})
    replacing = frozenset({*_DESTINATIONS, "RouteTableId"})
    recorded = frozenset({"CoreNetworkArn", "LocalGatewayId", "OdbNetworkArn", "VpcEndpointId"})
    attribute_names = frozenset({"CidrBlock"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        given = [name for name in _DESTINATIONS if properties.get(name)]
        return None if len(given) == 1 else f"Exactly one of {', '.join(_DESTINATIONS)} must be specified"

    def create(self, wanted: Wanted) -> str:
        wanted.client("ec2").create_route(**api_request("ec2", "CreateRoute", wanted.properties))
        return f"{wanted.properties['RouteTableId']}|{next(iter(_destination(wanted).values()))}"

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        wanted.client("ec2").replace_route(**api_request("ec2", "ReplaceRoute", wanted.properties))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        table = physical_id.partition("|")[0]
        with may_be_gone():
            wanted.client("ec2").delete_route(RouteTableId=table, **_destination(wanted))

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"CidrBlock": physical_id.partition("|")[2]}


def _destination(wanted: Wanted) -> dict[str, str]:
    return {name: str(wanted.properties[name]) for name in _DESTINATIONS if wanted.properties.get(name)}


@resource_type
class SubnetRouteTableAssociation(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnetroutetableassociation.html"""

    type_name = "AWS::EC2::SubnetRouteTableAssociation"
    properties = frozenset({"RouteTableId", "SubnetId"})
    required = properties
    replacing = properties
    attribute_names = frozenset({"Id"})

    def create(self, wanted: Wanted) -> str:
        request = api_request("ec2", "AssociateRouteTable", wanted.properties)
        return str(wanted.client("ec2").associate_route_table(**request)["AssociationId"])

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").disassociate_route_table(AssociationId=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}
