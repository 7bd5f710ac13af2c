"""Networks of a stack: what EC2 knows of them when they are made, changed and unmade, though no packet ever moves."""

from __future__ import annotations

from typing import Any

import pytest

NETWORK = """
Parameters: {Names: {Type: String, Default: "true"}, Port: {Type: Number, Default: 443}}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.9.0.0/16
      EnableDnsSupport: true
      EnableDnsHostnames: !Ref Names
      Tags: [{Key: Name, Value: !Ref Names}]
  Public:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      AvailabilityZone: !Select [1, !GetAZs ""]
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]
      MapPublicIpOnLaunch: "true"
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attached:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}
  Address:
    Type: AWS::EC2::EIP
    DependsOn: Attached
    Properties: {Domain: vpc}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {SubnetId: !Ref Public, AllocationId: !GetAtt Address.AllocationId}
  Table:
    Type: AWS::EC2::RouteTable
    Properties: {VpcId: !Ref Vpc}
  Out:
    Type: AWS::EC2::Route
    DependsOn: Attached
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, WAY}
  OfPublic:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {SubnetId: !Ref Public, RouteTableId: !Ref Table}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: doors
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: !Ref Port, ToPort: !Ref Port, CidrIp: 10.0.0.0/8, Description: clients}
      SecurityGroupEgress:
        - {IpProtocol: tcp, FromPort: 5432, ToPort: 5432, CidrIp: 10.9.0.0/16}
  Own:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !GetAtt Group.GroupId
      IpProtocol: tcp
      FromPort: 5000
      ToPort: 5000
      SourceSecurityGroupId: !Ref Group
      Description: !Ref Names
  ToItself:
    Type: AWS::EC2::SecurityGroupEgress
    Properties:
      {GroupId: !Ref Group, IpProtocol: tcp, FromPort: 5000, ToPort: 5000, DestinationSecurityGroupId: !Ref Group}
  Storage:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      {VpcId: !Ref Vpc, ServiceName: com.amazonaws.us-east-1.s3, VpcEndpointType: Gateway, RouteTableIds: [!Ref Table]}
  Logs:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Vpc
      ServiceName: com.amazonaws.us-east-1.logs
      VpcEndpointType: Interface
      SubnetIds: [!Ref Public]
      SecurityGroupIds: [!Ref Group]
      PrivateDnsEnabled: true
  FlowGroup: {Type: AWS::Logs::LogGroup}
  FlowRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: {Effect: Allow, Principal: {Service: vpc-flow-logs.amazonaws.com}, Action: "sts:AssumeRole"}
  Flow:
    Type: AWS::EC2::FlowLog
    Properties:
      ResourceId: !Ref Vpc
      ResourceType: VPC
      TrafficType: REJECT
      LogGroupName: !Ref FlowGroup
      DeliverLogsPermissionArn: !GetAtt FlowRole.Arn
Outputs:
  Default: {Value: !GetAtt Vpc.DefaultSecurityGroup}
  Zone: {Value: !GetAtt Public.AvailabilityZone}
"""


def test_a_network_is_described_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    template = NETWORK.replace("WAY", "GatewayId: !Ref Gateway")
    name = stacks.create(template)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    ec2, made = cloud.client("ec2"), stacks.resources(name)
    assert stacks.outputs(name)["Zone"] == "us-east-1b"
    assert stacks.outputs(name)["Default"].startswith("sg-")
    subnet = ec2.describe_subnets(SubnetIds=[made["Public"]])["Subnets"][0]
    assert (subnet["CidrBlock"], subnet["MapPublicIpOnLaunch"]) == ("10.9.1.0/24", True)
    assert "it makes no network" in stacks.reason(name, "Vpc", "CREATE_IN_PROGRESS")

    def rules(direction: str) -> list[tuple[Any, ...]]:
        group = ec2.describe_security_groups(GroupIds=[made["Group"]])["SecurityGroups"][0]
        return sorted((each.get("FromPort"), *(row["CidrIp"] for row in each["IpRanges"])) for each in group[direction])

    assert rules("IpPermissions") == [(443, "10.0.0.0/8"), (5000,)]
    assert rules("IpPermissionsEgress") == [(5000,), (5432, "10.9.0.0/16")]

    def ways() -> list[str]:
        routes = ec2.describe_route_tables(RouteTableIds=[made["Table"]])["RouteTables"][0]["Routes"]
        return [route.get("NatGatewayId") or route["GatewayId"] for route in routes if "0.0.0.0/0" in route.values()]

    assert ways() == [made["Gateway"]]
    after = NETWORK.replace("WAY", "NatGatewayId: !Ref Nat")
    described = stacks.update(name, after, {"Names": "false", "Port": "80"})
    assert described["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    changed = {key: value for key, value in stacks.resources(name).items() if made[key] != value}
    assert changed == {}
    assert ways() == [made["Nat"]]
    assert rules("IpPermissions") == [(80, "10.0.0.0/8"), (5000,)]
    hostnames = ec2.describe_vpc_attribute(VpcId=made["Vpc"], Attribute="enableDnsHostnames")
    assert hostnames["EnableDnsHostnames"]["Value"] is False
    assert ec2.describe_vpcs(VpcIds=[made["Vpc"]])["Vpcs"][0]["Tags"] == [{"Key": "Name", "Value": "false"}]

    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
    for left in (
        [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]],
        [address["PublicIp"] for address in ec2.describe_addresses()["Addresses"]],
        [group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]],
    ):
        assert not set(left) & set(made.values())


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ("AWS::EC2::VPC, Properties: {CidrBlok: 10.0.0.0/16}", "unsupported property CidrBlok"),
        ("AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/99}", "is invalid"),
        ("AWS::EC2::Subnet, Properties: {VpcId: vpc-00000000000000000, CidrBlock: 10.0.0.0/24}", "does not exist"),
        ("AWS::EC2::Route, Properties: {RouteTableId: rtb-1, GatewayId: igw-1}", "Exactly one of DestinationCidr"),
        (
            "AWS::EC2::SecurityGroup, Properties: {GroupDescription: a, SecurityGroupIngress: [{IpProtocol: tcp}]}",
            "exactly one source or destination",
        ),
        (
            "AWS::EC2::SecurityGroup, Properties: {GroupDescription: a, SecurityGroupIngress: [{Cidr: 1.2.3.4/32}]}",
            "extraneous key [Cidr]",
        ),
    ],
)
def test_a_part_of_a_network_that_cannot_be_fails_by_name(stacks: Any, resource: str, said: str) -> None:
    name = stacks.create(f"Resources: {{Thing: {{Type: {resource}}}}}")
    assert stacks.status(name) == "ROLLBACK_COMPLETE", stacks.told(name)
    assert said in stacks.reason(name, "Thing", "CREATE_FAILED")


def test_a_group_whose_rules_are_refused_is_not_left_behind(stacks: Any, cloud: Any) -> None:
    rule = "{IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: nowhere}"
    properties = f"{{GroupDescription: a, SecurityGroupIngress: [{rule}]}}"
    name = stacks.create(f"Resources: {{Group: {{Type: AWS::EC2::SecurityGroup, Properties: {properties}}}}}")
    assert stacks.status(name) == "ROLLBACK_COMPLETE", stacks.told(name)
    groups = cloud.client("ec2").describe_security_groups()["SecurityGroups"]
    assert not [group for group in groups if group["GroupName"].startswith(name)]
