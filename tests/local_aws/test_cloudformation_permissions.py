"""What a stack's role must be allowed: for every type no more than CloudFormation's own handlers ask for.

cfn-lint brings their permissions in the schemas of the types, as AWS publishes them.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

TRUST = '{{Statement: {{Effect: Allow, Principal: {{Service: "{}.amazonaws.com"}}, Action: "sts:AssumeRole"}}}}'
ANYTHING = '{Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}'
# One resource each: its type, its properties, and one property that changes in place.
RESOURCES = [
    ("AWS::Logs::LogGroup", "RetentionInDays: 7, Tags: [{Key: a, Value: <CHANGES>}]"),
    ("AWS::SSM::Parameter", "Type: String, Value: <CHANGES>, Tags: {a: <CHANGES>}"),
    (
        "AWS::SecretsManager::Secret",
        "Description: <CHANGES>, GenerateSecretString: {}, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    ("AWS::S3::Bucket", "VersioningConfiguration: {Status: Enabled}, Tags: [{Key: a, Value: <CHANGES>}]"),
    ("AWS::ECR::Repository", "ImageTagMutability: IMMUTABLE, Tags: [{Key: a, Value: <CHANGES>}]"),
    (
        "AWS::IAM::Role",
        f"AssumeRolePolicyDocument: {TRUST.format('<CHANGES>')}, Description: <CHANGES>, "
        f"Policies: [{{PolicyName: p, PolicyDocument: {ANYTHING}}}], Tags: [{{Key: a, Value: <CHANGES>}}]",
    ),
    (
        "AWS::IAM::Policy",
        f"PolicyName: p, Roles: [<ROLE>], PolicyDocument: {ANYTHING.replace('*', 'arn:aws:s3:::<CHANGES>/*')}",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        f"Roles: [<ROLE>], PolicyDocument: {ANYTHING.replace('*', 'arn:aws:s3:::<CHANGES>/*')}",
    ),
    (
        "AWS::CloudWatch::Alarm",
        "Namespace: AWS/SageMaker, MetricName: Invocations, Statistic: Sum, Period: 60, EvaluationPeriods: 1, "
        "Threshold: 1, ComparisonOperator: GreaterThanThreshold, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "ServiceNamespace: sagemaker, ScalableDimension: sagemaker:variant:DesiredInstanceCount, "
        "ResourceId: endpoint/<NAME>/variant/all, MinCapacity: 1, MaxCapacity: 2, "
        "SuspendedState: {}, RoleARN: <CHANGES>",
    ),
    (
        "AWS::SageMaker::Model",
        "ExecutionRoleArn: <ARN>, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    ("AWS::SNS::Topic", "DisplayName: <CHANGES>, Subscription: [{Protocol: email, Endpoint: a@example.com}]"),
    (
        "AWS::SNS::TopicPolicy",
        "Topics: [<TOPIC>], PolicyDocument: {Version: '2012-10-17', Id: <CHANGES>, Statement: []}",
    ),
    (
        "AWS::SNS::Subscription",
        "TopicArn: <TOPIC>, Protocol: email, Endpoint: e@example.com, FilterPolicy: {a: [<CHANGES>]}",
    ),
    (
        "AWS::Events::Rule",
        "EventPattern: {source: [<CHANGES>]}, Targets: [{Id: t, Arn: <TOPIC>}], Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    ("AWS::EC2::VPC", "CidrBlock: 10.0.0.0/16, EnableDnsHostnames: true, Tags: [{Key: a, Value: <CHANGES>}]"),
    (
        "AWS::EC2::Subnet",
        "VpcId: <VPC>, CidrBlock: 172.31.255.0/28, MapPublicIpOnLaunch: true, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    ("AWS::EC2::InternetGateway", "Tags: [{Key: a, Value: <CHANGES>}]"),
    ("AWS::EC2::EIP", "Domain: vpc, Tags: [{Key: a, Value: <CHANGES>}]"),
    ("AWS::EC2::NatGateway", "SubnetId: <SUBNET>, ConnectivityType: private, Tags: [{Key: a, Value: <CHANGES>}]"),
    ("AWS::EC2::RouteTable", "VpcId: <VPC>, Tags: [{Key: a, Value: <CHANGES>}]"),
    (
        "AWS::EC2::SecurityGroup",
        "GroupDescription: g, VpcId: <VPC>, Tags: [{Key: a, Value: <CHANGES>}], "
        "SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: 10.0.0.0/8, Description: <CHANGES>}],"
        "SecurityGroupEgress: [{IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: 10.0.0.0/8, Description: <CHANGES>}]",
    ),
    (
        "AWS::EC2::SecurityGroupIngress",
        "GroupId: <GROUP>, IpProtocol: tcp, FromPort: 7, ToPort: 7, CidrIp: 10.7.0.0/16, Description: <CHANGES>",
    ),
    (
        "AWS::EC2::SecurityGroupEgress",
        "GroupId: <GROUP>, IpProtocol: tcp, FromPort: 7, ToPort: 7, CidrIp: 10.7.0.0/16, Description: <CHANGES>",
    ),
    (
        "AWS::EC2::VPCEndpoint",
        "VpcId: <VPC>, ServiceName: com.amazonaws.us-east-1.logs, VpcEndpointType: Interface, "
        "SubnetIds: [<SUBNET>], SecurityGroupIds: [<GROUP>], Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::EC2::FlowLog",
        "ResourceId: <VPC>, ResourceType: VPC, TrafficType: ALL, LogGroupName: <NAME>, "
        "DeliverLogsPermissionArn: <ARN>, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::RDS::DBSubnetGroup",
        "DBSubnetGroupDescription: d, SubnetIds: [<SUBNET>, <SUBNET2>], Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::RDS::DBClusterParameterGroup",
        "Description: d, Family: aurora-postgresql16, Parameters: {a: <CHANGES>}, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::RDS::DBCluster",
        "Engine: aurora-postgresql, MasterUsername: keeper, ManageMasterUserPassword: true, "
        "EnableCloudwatchLogsExports: [postgresql], Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::SecretsManager::RotationSchedule",
        "SecretId: <SECRET>, RotationRules: {AutomaticallyAfterDays: 7}, RotateImmediatelyOnUpdate: <TRUTH>",
    ),
    ("AWS::ECS::Cluster", "CapacityProviders: [FARGATE], Tags: [{Key: a, Value: <CHANGES>}]"),
    (
        "AWS::ECS::TaskDefinition",
        "Family: <NAME>, TaskRoleArn: <ARN>, ExecutionRoleArn: <ARN>, "
        "ContainerDefinitions: [{Name: a, Image: i, Memory: 128}], Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::ECS::Service",
        "Cluster: <CLUSTER>, TaskDefinition: <TASK>, DesiredCount: 1, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Scheme: internal, Subnets: [<SUBNET>, <SUBNET2>], Tags: [{Key: a, Value: <CHANGES>}], "
        "LoadBalancerAttributes: [{Key: routing.http2.enabled, Value: true}]",
    ),
    (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "VpcId: <VPC>, Port: 80, Protocol: HTTP, HealthCheckPath: /<CHANGES>, Tags: [{Key: a, Value: <CHANGES>}], "
        "TargetGroupAttributes: [{Key: stickiness.enabled, Value: false}]",
    ),
    (
        "AWS::KMS::Key",
        "Description: <CHANGES>, EnableKeyRotation: true, KeyPolicy: {Statement: []}, PendingWindowInDays: 7",
    ),
    (
        "AWS::CodeConnections::Connection",
        "ConnectionName: iris, ProviderType: GitHub, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::CodeStarConnections::Connection",
        "ConnectionName: iris, ProviderType: GitHub, Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    ("AWS::CodeCommit::Repository", "RepositoryName: <NAME>, RepositoryDescription: <CHANGES>"),
    (
        "AWS::CodeBuild::Project",
        "Description: <CHANGES>, ServiceRole: <ARN>, Source: {Type: CODEPIPELINE}, Artifacts: {Type: CODEPIPELINE}, "
        "Environment: {Type: LINUX_CONTAINER, ComputeType: BUILD_GENERAL1_SMALL, Image: aws/codebuild/standard:7.0}",
    ),
    (
        "AWS::CodeBuild::ReportGroup",
        "Type: TEST, DeleteReports: true, ExportConfig: {ExportConfigType: NO_EXPORT}, "
        "Tags: [{Key: a, Value: <CHANGES>}]",
    ),
    (
        "AWS::CodePipeline::Pipeline",
        "RoleArn: <ARN>, PipelineType: V2, ArtifactStore: {Type: S3, Location: bucket}, "
        "Variables: [{Name: v, DefaultValue: <CHANGES>}], "
        "DisableInboundStageTransitions: [{StageName: Two, Reason: later}], RestartExecutionOnUpdate: true, "
        "Tags: [{Key: a, Value: <CHANGES>}], Stages: ["
        "{Name: One, Actions: [{Name: S, ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, "
        "Version: 1}, Configuration: {RepositoryName: r, BranchName: main}, OutputArtifacts: [{Name: S}]}]}, "
        "{Name: Two, Actions: [{Name: A, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, "
        "Version: 1}}]}]",
    ),
]
# Types that are older than the registry have no handlers in their schema: these are the calls that make and unmake one.
NOT_PUBLISHED = {
    "AWS::CodeBuild::Project": ["codebuild:CreateProject", "codebuild:UpdateProject", "codebuild:DeleteProject"],
}


def handlers_permissions(type_name: str) -> list[str]:
    """What AWS's handlers of a type need, to create, read, update and delete."""
    if type_name in NOT_PUBLISHED:
        return NOT_PUBLISHED[type_name]
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema
    return sorted({action for handler in schema["handlers"].values() for action in handler["permissions"]})


def replaced(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


@pytest.fixture(scope="module")
def surroundings(cloud: Any) -> dict[str, str]:
    """A role and a topic that the resources refer to."""
    services = [f"{name}.amazonaws.com" for name in ("codebuild", "codepipeline", "sagemaker")]
    trust = {"Statement": {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}}
    name = f"surroundings-{uuid.uuid4().hex[:8]}"
    role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    topic = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    return {"<ARN>": role["Arn"], "<ROLE>": name, "<TOPIC>": topic, **network(cloud), **containers(cloud, name)}


def network(cloud: Any) -> dict[str, str]:
    """The default VPC, and what it has."""
    ec2 = cloud.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    group = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"][0]["GroupId"]
    return {"<VPC>": vpc, "<SUBNET>": subnets[0]["SubnetId"], "<SUBNET2>": subnets[1]["SubnetId"], "<GROUP>": group}


def containers(cloud: Any, name: str) -> dict[str, str]:
    """A cluster, a task definition and a secret."""
    ecs, secrets = cloud.client("ecs"), cloud.client("secretsmanager")
    ecs.create_cluster(clusterName=name)
    container = {"name": "a", "image": "i", "memory": 128}
    task = ecs.register_task_definition(family=name, containerDefinitions=[container])["taskDefinition"]
    secret = secrets.create_secret(Name=name, SecretString="{}")["ARN"]
    return {"<CLUSTER>": name, "<TASK>": task["taskDefinitionArn"], "<SECRET>": secret}


@pytest.mark.parametrize(("type_name", "properties"), RESOURCES, ids=[row[0] for row in RESOURCES])
def test_a_role_with_the_permissions_of_the_handlers_is_enough(
    stacks: Any, cloud: Any, surroundings: dict[str, str], type_name: str, properties: str
) -> None:
    actions = [*handlers_permissions(type_name), "iam:PassRole"]
    iam, deployer, name = cloud.client("iam"), f"deployer-{uuid.uuid4().hex[:8]}", stacks.name()
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "cloudformation.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    }
    arn = iam.create_role(RoleName=deployer, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=deployer, PolicyName="handlers", PolicyDocument=json.dumps(policy))
    properties = replaced(properties, {**surroundings, "<NAME>": name})
    template = f"Resources: {{Thing: {{Type: {type_name}, Properties: {{{properties}}}}}}}"
    before, after = ({"<CHANGES>": word, "<TRUTH>": truth} for word, truth in (("before", "true"), ("after", "false")))
    stacks.create(replaced(template, before), StackName=name, RoleARN=arn)
    assert stacks.status(name) == "CREATE_COMPLETE", [row for row in stacks.told(name) if row[2]][:6]
    described = stacks.update(name, replaced(template, after))
    assert described["StackStatus"] == "UPDATE_COMPLETE", [row for row in stacks.told(name) if row[2]][:6]
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(described["StackId"])
