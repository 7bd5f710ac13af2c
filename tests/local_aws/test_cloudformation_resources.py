"""The types of resources: what their properties do in the services, and what becomes of it when they change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_identities_and_permissions_are_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    template = """
Parameters: {Action: {Type: String, Default: "s3:GetObject"}, Extra: {Type: String, Default: "no"}}
Conditions: {Extra: !Equals [!Ref Extra, "yes"]}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: {Effect: Allow, Principal: {Service: sagemaker.amazonaws.com}, Action: "sts:AssumeRole"}
      ManagedPolicyArns: !If [Extra, [!Ref Managed], !Ref "AWS::NoValue"]
      Policies:
        - {PolicyName: first, PolicyDocument: DOCUMENT}
  Inline:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: second, Roles: [!Ref Role], PolicyDocument: DOCUMENT}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {PolicyDocument: DOCUMENT}
"""
    document = '{Version: 2012-10-17, Statement: [{Effect: Allow, Action: !Ref Action, Resource: "*"}]}'
    template = template.replace("DOCUMENT", document)
    name = stacks.create(template)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    iam, made = cloud.client("iam"), stacks.resources(name)
    role = made["Role"]
    assert sorted(iam.list_role_policies(RoleName=role)["PolicyNames"]) == ["first", "second"]
    assert (
        stacks.update(name, template, {"Action": "s3:ListBucket", "Extra": "yes"})["StackStatus"] == "UPDATE_COMPLETE"
    )
    for policy in ("first", "second"):
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        assert document["Statement"][0]["Action"] == "s3:ListBucket"
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [made["Managed"]]
    assert iam.get_policy(PolicyArn=made["Managed"])["Policy"]["DefaultVersionId"] == "v2"
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=role)


def test_a_secret_is_generated_and_read_without_entering_the_stack(stacks: Any, cloud: Any) -> None:
    template = """
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        SecretStringTemplate: '{"user": "mlflow"}'
        GenerateStringKey: password
        PasswordLength: "20"
        ExcludePunctuation: true
  Copy:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub "{{resolve:secretsmanager:${Secret}:SecretString:password}}"}
  CopyOfTheCopy:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !GetAtt Copy.Value}
"""
    name = stacks.create(template)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    made = stacks.resources(name)
    secret = json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=made["Secret"])["SecretString"])
    assert secret["user"] == "mlflow"
    assert len(secret["password"]) == 20
    for copy in (made["Copy"], made["CopyOfTheCopy"]):
        assert cloud.client("ssm").get_parameter(Name=copy)["Parameter"]["Value"] == secret["password"]
    # What was written last is in the log beside the database.
    kept = b"".join(path.read_bytes() for path in sorted(cloud.home.glob("state.sqlite*")))
    assert name.encode() in kept
    assert secret["password"].encode() not in kept


def test_scaling_and_alarms_are_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    template = """
Parameters: {Most: {Type: Number, Default: 2}, Threshold: {Type: Number, Default: 1}}
Resources:
  Policy:
    Type: AWS::ApplicationAutoScaling::ScalingPolicy
    Properties:
      PolicyName: invocations
      PolicyType: TargetTrackingScaling
      ScalingTargetId: !Ref Target
      TargetTrackingScalingPolicyConfiguration:
        PredefinedMetricSpecification: {PredefinedMetricType: SageMakerVariantInvocationsPerInstance}
        TargetValue: "100"
  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    Properties:
      ServiceNamespace: sagemaker
      ScalableDimension: sagemaker:variant:DesiredInstanceCount
      ResourceId: endpoint/NAME/variant/AllTraffic
      MinCapacity: 1
      MaxCapacity: !Ref Most
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: NAME-errors
      Namespace: AWS/SageMaker
      MetricName: Invocation5XXErrors
      Dimensions: [{Name: EndpointName, Value: NAME}]
      Statistic: Sum
      Period: "60"
      EvaluationPeriods: 1
      ComparisonOperator: GreaterThanOrEqualToThreshold
      Threshold: !Ref Threshold
"""
    name = stacks.name()
    template = template.replace("NAME", name)
    stacks.create(template, StackName=name)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    scaling, cloudwatch, resource = (
        cloud.client("application-autoscaling"),
        cloud.client("cloudwatch"),
        f"endpoint/{name}",
    )

    def bounds() -> list[int]:
        found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        return [target["MaxCapacity"] for target in found if target["ResourceId"].startswith(resource)]

    assert bounds() == [2]
    assert (
        stacks.resources(name)["Target"]
        == f"{resource}/variant/AllTraffic|sagemaker:variant:DesiredInstanceCount|sagemaker"
    )
    assert "recorded, not carried out" in stacks.reason(name, "Policy", "CREATE_IN_PROGRESS")
    assert stacks.update(name, template, {"Most": "5", "Threshold": "7"})["StackStatus"] == "UPDATE_COMPLETE"
    assert bounds() == [5]
    assert cloudwatch.describe_alarms(AlarmNames=[f"{name}-errors"])["MetricAlarms"][0]["Threshold"] == 7
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    assert bounds() == cloudwatch.describe_alarms(AlarmNames=[f"{name}-errors"])["MetricAlarms"] == []
    left = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert not [policy for policy in left if policy["ResourceId"].startswith(resource)]


def test_a_bucket_is_configured_reconfigured_and_unconfigured(stacks: Any, cloud: Any) -> None:
    configured = """
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - {BucketKeyEnabled: "true", ServerSideEncryptionByDefault: {SSEAlgorithm: aws:kms}}
      CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ["*"], MaxAge: "60"}]}
      LifecycleConfiguration:
        Rules:
          - Id: a
            Status: Enabled
            Prefix: a/
            ExpirationInDays: "3"
            Transitions: [{StorageClass: GLACIER, TransitionInDays: 1}]
          - Id: b
            Status: Disabled
            TagFilters: [{Key: k, Value: v}]
            NoncurrentVersionExpiration: {NoncurrentDays: 5}
      Tags: [{Key: own, Value: yes please}]
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument: {Version: 2012-10-17, Statement: []}
"""
    name = stacks.create(configured, Tags=[{"Key": "team", "Value": "ml"}])
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    s3, bucket = cloud.client("s3"), stacks.resources(name)["Bucket"]
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert rules["a"]["Expiration"] == {"Days": 3}
    assert rules["a"]["Transitions"] == [{"Days": 1, "StorageClass": "GLACIER"}]
    assert rules["b"]["Filter"] == {"Tag": {"Key": "k", "Value": "v"}}
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"][0]["MaxAgeSeconds"] == 60
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {"own": "yes please", "team": "ml"}

    plain = configured[: configured.index("    Properties:")] + configured[configured.index("  Policy:") :]
    assert stacks.update(name, plain)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.resources(name)["Bucket"] == bucket
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    for gone in (s3.get_bucket_lifecycle_configuration, s3.get_bucket_cors):
        with pytest.raises(ClientError, match="does not exist"):
            gone(Bucket=bucket)
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {"team": "ml"}


def test_a_property_of_a_wrong_form_fails_the_stack_and_leaves_nothing(stacks: Any, cloud: Any) -> None:
    for properties in (
        "{AssumeRolePolicyDocument: {}, Policies: just text}",
        "{AssumeRolePolicyDocument: {}, Policies: [{Name: x}]}",
    ):
        name = stacks.create(f"Resources: {{Role: {{Type: AWS::IAM::Role, Properties: {properties}}}}}")
        assert stacks.status(name) == "ROLLBACK_COMPLETE"
        assert stacks.reason(name, "Role", "CREATE_FAILED")
        roles = cloud.client("iam").list_roles()["Roles"]
        assert not [role for role in roles if role["RoleName"].startswith(name)]


def test_a_bucket_that_still_holds_objects_stops_the_deletion_until_it_is_retained(stacks: Any, cloud: Any) -> None:
    name = stacks.create("Resources: {Bucket: {Type: AWS::S3::Bucket}, Group: {Type: AWS::Logs::LogGroup}}")
    bucket = stacks.resources(name)["Bucket"]
    cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")
    assert stacks.delete(name)["StackStatus"] == "DELETE_FAILED"
    assert "The bucket you tried to delete is not empty" in stacks.reason(name, "Bucket", "DELETE_FAILED")
    assert stacks.delete(name, RetainResources=["Bucket"])["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (
            "AWS::S3::Bucket, Properties: {LifecycleConfiguration: {Rules: [{Status: Enabled, ExpireInDays: 3}]}}",
            "#/LifecycleConfiguration/Rules: extraneous key [ExpireInDays]",
        ),
        (
            "AWS::ECR::Repository, Properties: {LifecyclePolicy: {LifecyclePolicyTxt: '{}'}}",
            "#/LifecyclePolicy: extraneous key [LifecyclePolicyTxt]",
        ),
        (
            "AWS::SecretsManager::Secret, Properties: {GenerateSecretString: {PasswordLenght: 3}}",
            "#/GenerateSecretString: extraneous key [PasswordLenght]",
        ),
        ("AWS::SNS::Topic, Properties: {Subscription: [{Protocol: sqs, Endpoint: q, Raw: true}]}", "[Raw]"),
        ("AWS::Logs::LogGroup, Properties: {Retention: 3}", "Encountered unsupported property Retention"),
    ],
)
def test_a_misspelt_property_fails_its_resource_by_name(stacks: Any, resource: str, said: str) -> None:
    name = stacks.create(f"Resources: {{Thing: {{Type: {resource}}}}}")
    assert stacks.status(name) == "ROLLBACK_COMPLETE", stacks.told(name)
    assert said in stacks.reason(name, "Thing", "CREATE_FAILED")
