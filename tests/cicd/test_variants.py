"""What holds data is closed; and the stack for a team on CodeCommit, in a VPC, or that begins in Studio."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cicd.template import read_template


def test_a_push_to_codecommit_starts_both_pipelines(elsewhere: Any) -> None:
    client, events = elsewhere.cloud.client, elsewhere.cloud.client("events")
    outputs, resources = elsewhere.outputs(), elsewhere.resources()
    assert f"{elsewhere.project}-models" in outputs["CloneUrl"]
    assert "ConnectionArn" not in outputs
    rule = resources["PushRule"].rpartition("/")[2]
    pattern = json.loads(events.describe_rule(Name=rule)["EventPattern"])
    assert pattern["resources"] == [f"arn:aws:codecommit:us-east-1:123456789012:{elsewhere.project}-models"]
    assert pattern["detail"]["referenceName"] == ["main"]
    targets = {row["Arn"].rpartition(":")[2] for row in events.list_targets_by_rule(Rule=rule)["Targets"]}
    names = {outputs["ModelBuildPipeline"], outputs["ModelDeployPipeline"]}
    assert targets == names
    for name in names:
        pipeline = client("codepipeline").get_pipeline(name=name)["pipeline"]
        source = pipeline["stages"][0]["actions"][0]
        assert source["actionTypeId"]["provider"] == "CodeCommit"
        assert source["configuration"]["PollForSourceChanges"] == "false"
        assert pipeline.get("triggers", []) == []


def test_builds_and_jobs_go_into_the_vpc(elsewhere: Any) -> None:
    client = elsewhere.cloud.client("codebuild")
    project = client.batch_get_projects(names=[f"{elsewhere.project}-model-build"])["projects"][0]
    assert project["vpcConfig"] == {
        "vpcId": "vpc-0a1b2c3d",
        "subnets": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
        "securityGroupIds": ["sg-0a1b2c3d"],
    }
    told = {each["name"]: each["value"] for each in project["environment"]["environmentVariables"]}
    assert told["SUBNETS"] == "subnet-0a1b2c3d,subnet-0a1b2c3e"
    assert told["SECURITY_GROUPS"] == "sg-0a1b2c3d"
    assert "MLFLOW_TRACKING_PASSWORD" not in told


def test_somebody_is_told_of_failures(elsewhere: Any) -> None:
    sns = elsewhere.cloud.client("sns")
    topic = elsewhere.outputs()["NotificationTopicArn"]
    assert [row["Endpoint"] for row in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == [
        "team@example.com"
    ]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"]


@pytest.mark.parametrize("name", ["ArtifactBucket", "PipelineBucket"])
def test_buckets_are_private_encrypted_versioned_and_closed_without_tls(deployed: Any, name: str) -> None:
    s3, bucket = deployed.cloud.client("s3"), deployed.outputs()[name]
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert ownership["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    denied = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "s3:*")
    assert denied["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_old_code_captures_and_releases_go_and_models_and_data_stay(deployed: Any) -> None:
    s3, outputs = deployed.cloud.client("s3"), deployed.outputs()

    def expiring(bucket: str) -> dict[str, int]:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert [rule["NoncurrentVersionExpiration"] for rule in rules if "NoncurrentVersionExpiration" in rule] == [
            {"NoncurrentDays": 30}
        ]
        return {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule}

    assert expiring(outputs["ArtifactBucket"]) == {"code/": 180, "training/": 180, "capture/": 90}
    assert expiring(outputs["PipelineBucket"]) == {"cache/": 30, "": 365}


def test_images_are_scanned_and_their_tags_never_move(deployed: Any) -> None:
    ecr, name = deployed.cloud.client("ecr"), f"{deployed.project}/serving"
    assert deployed.outputs()["ServingRepositoryUri"] == f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}"
    repository = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "IMMUTABLE"
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    assert [rule["selection"]["countNumber"] for rule in policy["rules"]] == [7, 50]


def test_logs_of_builds_are_kept_for_a_season(deployed: Any) -> None:
    logs = deployed.cloud.client("logs")
    group = logs.describe_log_groups(logGroupNamePrefix=f"/aws/codebuild/{deployed.project}")["logGroups"][0]
    assert group["retentionInDays"] == 90


def test_studio_starts_the_same_template_as_a_project(deployed: Any, bucket: str) -> None:
    client = deployed.cloud.client
    client("s3").put_object(Bucket=bucket, Key="cicd.yaml", Body=read_template().body.encode())
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    launch, name = f"launch-{bucket}", f"{deployed.project}s"
    role = client("iam").create_role(RoleName=launch, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    client("iam").put_role_policy(
        RoleName=launch,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    given = {"ProjectName": name, "Repository": "team/models", "MlflowTrackingUri": "http://mlflow.internal"}
    provider = {
        "TemplateName": "cicd",
        "TemplateURL": f"https://{bucket}.s3.us-east-1.amazonaws.com/cicd.yaml",
        "RoleARN": role["Role"]["Arn"],
        "Parameters": [{"Key": key, "Value": value} for key, value in given.items()],
    }
    sagemaker = client("sagemaker")
    made = sagemaker.create_project(ProjectName=name, TemplateProviders=[{"CfnTemplateProvider": provider}])
    stack = f"SP-{name}-{made['ProjectId']}"
    client("cloudformation").get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert client("codepipeline").get_pipeline(name=f"{name}-model-deploy")["pipeline"]["name"]
