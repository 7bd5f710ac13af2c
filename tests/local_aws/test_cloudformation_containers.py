"""Container services and load balancers of a stack: described in full, and never said to run."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

SERVICE = """
Parameters:
  Image: {Type: String, Default: "1"}
  Count: {Type: Number, Default: 2}
  Protected: {Type: String, Default: "true"}
  Certificate: {Type: String, Default: ""}
  Priority: {Type: Number, Default: 10}
Conditions: {Secure: !Not [!Equals [!Ref Certificate, ""]]}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.7.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.7.0.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.7.1.0/24, AvailabilityZone: us-east-1b}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: tasks, VpcId: !Ref Vpc}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: {Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: "sts:AssumeRole"}
  Cluster:
    Type: AWS::ECS::Cluster
    Properties:
      ClusterSettings: [{Name: containerInsights, Value: enabled}]
      Tags: [{Key: image, Value: !Ref Image}]
  Definition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: !Sub "${AWS::StackName}-server"
      RequiresCompatibilities: [FARGATE]
      NetworkMode: awsvpc
      Cpu: "512"
      Memory: "1024"
      ExecutionRoleArn: !GetAtt Role.Arn
      TaskRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: mlflow
          Image: !Sub "example/mlflow:${Image}"
          Essential: "true"
          PortMappings: [{ContainerPort: "5000"}]
          Environment: [{Name: WORKERS, Value: 2}]
          Secrets: [{Name: PASSWORD, ValueFrom: "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"}]
          HealthCheck: {Command: [CMD, "true"], Interval: 10}
          LogConfiguration: {LogDriver: awslogs, Options: {awslogs-group: g, awslogs-region: us-east-1}}
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties:
      Scheme: internal
      Subnets: [!Ref A, !Ref B]
      SecurityGroups: [!Ref Group]
      LoadBalancerAttributes:
        - {Key: deletion_protection.enabled, Value: !Ref Protected}
        - {Key: routing.http.drop_invalid_header_fields.enabled, Value: true}
  Targets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      VpcId: !Ref Vpc
      Port: 5000
      Protocol: HTTP
      TargetType: ip
      HealthCheckPath: !Sub "/health${Image}"
      Matcher: {HttpCode: "200"}
      TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: 30}]
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: !If [Secure, 443, 80]
      Protocol: !If [Secure, HTTPS, HTTP]
      SslPolicy: !If [Secure, ELBSecurityPolicy-TLS13-1-2-2021-06, !Ref "AWS::NoValue"]
      Certificates: !If [Secure, [{CertificateArn: !Ref Certificate}], !Ref "AWS::NoValue"]
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]
  Login:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Condition: Secure
    Properties:
      ListenerArn: !Ref Listener
      Priority: !Ref Priority
      Conditions:
        - Field: http-header
          HttpHeaderConfig: {HttpHeaderName: Authorization, Values: ["*"]}
      Actions:
        - Type: authenticate-oidc
          Order: 1
          AuthenticateOidcConfig:
            Issuer: https://idp.example.com
            AuthorizationEndpoint: https://idp.example.com/authorize
            TokenEndpoint: https://idp.example.com/token
            UserInfoEndpoint: https://idp.example.com/user
            ClientId: mlflow
            ClientSecret: hush
            OnUnauthenticatedRequest: authenticate
        - {Type: forward, Order: 2, TargetGroupArn: !Ref Targets}
  Service:
    Type: AWS::ECS::Service
    DependsOn: Listener
    Properties:
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Definition
      DesiredCount: !Ref Count
      LaunchType: FARGATE
      EnableExecuteCommand: true
      HealthCheckGracePeriodSeconds: "60"
      DeploymentConfiguration:
        {MinimumHealthyPercent: 100, MaximumPercent: 200, DeploymentCircuitBreaker: {Enable: true, Rollback: true}}
      NetworkConfiguration:
        AwsvpcConfiguration: {Subnets: [!Ref A, !Ref B], SecurityGroups: [!Ref Group], AssignPublicIp: DISABLED}
      LoadBalancers: [{ContainerName: mlflow, ContainerPort: 5000, TargetGroupArn: !Ref Targets}]
  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    Properties:
      ServiceNamespace: ecs
      ScalableDimension: ecs:service:DesiredCount
      ResourceId: !Sub "service/${Cluster}/${Service.Name}"
      MinCapacity: 2
      MaxCapacity: 4
  Policy:
    Type: AWS::ApplicationAutoScaling::ScalingPolicy
    Properties:
      PolicyName: cpu
      PolicyType: TargetTrackingScaling
      ScalingTargetId: !Ref Target
      TargetTrackingScalingPolicyConfiguration:
        PredefinedMetricSpecification: {PredefinedMetricType: ECSServiceAverageCPUUtilization}
        TargetValue: 60
Outputs:
  Address: {Value: !GetAtt Balancer.DNSName}
  FullName: {Value: !GetAtt Balancer.LoadBalancerFullName}
"""


def certificate(cloud: Any) -> str:
    return str(cloud.client("acm").request_certificate(DomainName="mlflow.example.com")["CertificateArn"])


def test_a_service_behind_a_load_balancer_is_described_and_never_said_to_run(stacks: Any, cloud: Any) -> None:
    name = stacks.create(SERVICE)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    ecs, elb, made = cloud.client("ecs"), cloud.client("elbv2"), stacks.resources(name)

    def service() -> dict[str, Any]:
        return dict(ecs.describe_services(cluster=made["Cluster"], services=[made["Service"]])["services"][0])

    found = service()
    assert (found["desiredCount"], found["runningCount"], found["pendingCount"]) == (2, 0, 2)
    assert found["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (found["enableExecuteCommand"], found["healthCheckGracePeriodSeconds"]) == (True, 60)
    container = ecs.describe_task_definition(taskDefinition=made["Definition"])["taskDefinition"]
    assert container["containerDefinitions"][0]["healthCheck"] == {"command": ["CMD", "true"], "interval": 10}
    assert container["containerDefinitions"][0]["environment"] == [{"name": "WORKERS", "value": "2"}]
    assert stacks.outputs(name)["FullName"] == made["Balancer"].partition("loadbalancer/")[2]
    assert made["Target"] == f"service/{made['Cluster']}/{found['serviceName']}|ecs:service:DesiredCount|ecs"
    for logical_id, said in (("Service", "it runs no task"), ("Listener", "nothing listens at its name")):
        assert said in stacks.reason(name, logical_id, "CREATE_IN_PROGRESS")

    secure = {"Image": "2", "Count": "3", "Certificate": certificate(cloud)}
    assert stacks.update(name, SERVICE, secure)["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    after = stacks.resources(name)
    assert {key for key in made if made[key] != after[key]} == {"Definition"}
    found = service()
    assert (found["desiredCount"], found["runningCount"], found["pendingCount"]) == (3, 0, 3)
    assert found["taskDefinition"] == found["deployments"][0]["taskDefinition"] == after["Definition"]
    assert ecs.describe_task_definition(taskDefinition=made["Definition"])["taskDefinition"]["status"] == "INACTIVE"
    listener = elb.describe_listeners(ListenerArns=[made["Listener"]])["Listeners"][0]
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    assert listener["Certificates"] == [{"CertificateArn": secure["Certificate"]}]
    group = elb.describe_target_groups(TargetGroupArns=[made["Targets"]])["TargetGroups"][0]
    assert group["HealthCheckPath"] == "/health2"

    stacks.update(name, SERVICE, {**secure, "Priority": "20", "Protected": "false"})
    rule = elb.describe_rules(RuleArns=[after["Login"]])["Rules"][0]
    assert rule["Priority"] == "20"
    assert rule["Actions"][0]["AuthenticateOidcConfig"]["Issuer"] == "https://idp.example.com"
    assert rule["Conditions"][0]["HttpHeaderConfig"]["HttpHeaderName"] == "Authorization"
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
    assert service()["status"] == "INACTIVE"
    with pytest.raises(ClientError, match="does not exist"):
        elb.describe_load_balancers(LoadBalancerArns=[made["Balancer"]])


def test_a_protected_load_balancer_stays(stacks: Any, cloud: Any) -> None:
    template = SERVICE[: SERVICE.index("  Targets:")]
    name = stacks.create(template)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    balancer = stacks.resources(name)["Balancer"]
    assert stacks.delete(name)["StackStatus"] == "DELETE_FAILED"
    assert "deletion protection is enabled" in stacks.reason(name, "Balancer", "DELETE_FAILED")
    cloud.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
    )
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ("AWS::ECS::TaskDefinition, Properties: {Family: f}", "a list of at least one container"),
        (
            "AWS::ECS::TaskDefinition, Properties: {Family: f, RequiresCompatibilities: [FARGATE], Memory: '512', "
            "ContainerDefinitions: [{Name: a, Image: i}]}",
            "Fargate requires that 'cpu' be defined",
        ),
        (
            "AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [{Name: a, Image: i, Memory: 512, Prot: 1}]}",
            "Unknown parameter in containerDefinitions[0]",
        ),
        ("AWS::ECS::Service, Properties: {Cluster: nowhere, TaskDefinition: 't:1'}", "Cluster not found"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Scheme: internal}", "either Subnets or Subnet"),
        (
            "AWS::ElasticLoadBalancingV2::Listener, Properties: {LoadBalancerArn: a, Protocol: HTTPS, Port: 443, "
            "DefaultActions: [{Type: forward, TargetGroupArn: t}]}",
            "A certificate must be specified for HTTPS listeners",
        ),
    ],
)
def test_a_service_or_balancer_that_cannot_be_fails_by_name(stacks: Any, resource: str, said: str) -> None:
    name = stacks.create(f"Resources: {{Thing: {{Type: {resource}}}}}")
    assert stacks.status(name) == "ROLLBACK_COMPLETE", stacks.told(name)
    assert said in stacks.reason(name, "Thing", "CREATE_FAILED")


def test_a_task_is_refused_since_none_runs(cloud: Any) -> None:
    with pytest.raises(ClientError, match="keeps the descriptions of tasks, and runs none"):
        cloud.client("ecs").run_task(cluster="any", taskDefinition="any:1")
