"""The foundation stack as a team deploys it: what holds data is closed, and each role can do its own work only."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = Path(__file__).parents[2] / "cicd" / "foundation.yaml"
WITHOUT_ARN = {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}


@pytest.fixture(scope="module")
def foundation(cloud: Any) -> dict[str, str]:
    """The outputs of the stack, deployed as the README says."""
    cloudformation, name = cloud.client("cloudformation"), f"foundation-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "ProjectName", "ParameterValue": name}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {"StackName": name} | {row["OutputKey"]: row["OutputValue"] for row in stack["Outputs"]}


def statements(cloud: Any, role_arn: str) -> list[dict[str, Any]]:
    """What a role may do, from all its policies."""
    iam, role = cloud.client("iam"), role_arn.rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return [statement for document in documents for statement in document["Statement"]]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_template_passes_the_linter() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), TEMPLATE], capture_output=True, text=True, check=False, timeout=120
    )
    assert linted.returncode == 0, linted.stdout


def test_the_bucket_is_private_encrypted_and_versioned(cloud: Any, foundation: dict[str, str]) -> None:
    s3, bucket = cloud.client("s3"), foundation["ArtifactBucket"]
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert ownership["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_bucket_is_closed_to_whoever_comes_without_tls(cloud: Any, foundation: dict[str, str]) -> None:
    bucket = foundation["ArtifactBucket"]
    policy = json.loads(cloud.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    arn = f"arn:aws:s3:::{bucket}"
    refusal = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    conditions = [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    found = [{key: value for key, value in each.items() if key != "Sid"} for each in policy["Statement"]]
    assert found == [{**refusal, "Condition": condition} for condition in conditions]


def test_old_code_and_captures_go_and_models_and_data_stay(cloud: Any, foundation: dict[str, str]) -> None:
    s3 = cloud.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=foundation["ArtifactBucket"])["Rules"]
    expiring = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Expiration" in rule}
    assert expiring == {"code/": 180, "training/": 180, "capture/": 90}
    assert [rule["NoncurrentVersionExpiration"] for rule in rules if "NoncurrentVersionExpiration" in rule] == [
        {"NoncurrentDays": 30}
    ]


@pytest.mark.parametrize("role", ["JobRoleArn", "EndpointRoleArn"])
def test_no_role_is_granted_whole_services_or_everything(cloud: Any, foundation: dict[str, str], role: str) -> None:
    for statement in statements(cloud, foundation[role]):
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        assert not [action for action in actions if "*" in action]
        if "*" in resources:
            assert set(actions) <= WITHOUT_ARN


def test_jobs_reach_neither_model_packages_nor_captures_and_pass_only_themselves(
    cloud: Any, foundation: dict[str, str]
) -> None:
    granted = statements(cloud, foundation["JobRoleArn"])
    objects = [
        resource
        for statement in granted
        if "s3:GetObject" in listed(statement["Action"]) or "s3:PutObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    assert {resource.partition("/")[2] for resource in objects} == {"code/*", "data/*", "training/*"}
    passed = [statement for statement in granted if "iam:PassRole" in listed(statement["Action"])]
    assert [statement["Resource"] for statement in passed] == [foundation["JobRoleArn"]]
    assert passed[0]["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_endpoints_read_packages_write_captures_and_start_nothing(cloud: Any, foundation: dict[str, str]) -> None:
    granted = statements(cloud, foundation["EndpointRoleArn"])
    actions = {action for statement in granted for action in listed(statement["Action"])}
    assert not {action for action in actions if action.startswith(("sagemaker:", "iam:"))}
    by_name = {statement["Sid"]: statement for statement in granted}
    arn = f"arn:aws:s3:::{foundation['ArtifactBucket']}"
    assert by_name["ReadModelPackages"]["Resource"] == f"{arn}/models/*"
    assert by_name["WriteCaptures"]["Resource"] == f"{arn}/capture/*"


def test_images_are_scanned_and_their_tags_never_move(cloud: Any, foundation: dict[str, str]) -> None:
    ecr, uri = cloud.client("ecr"), foundation["ServingRepositoryUri"]
    name = f"{foundation['StackName']}/serving"
    assert uri == f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}"
    repository = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "IMMUTABLE"
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    assert [rule["selection"]["countNumber"] for rule in policy["rules"]] == [7, 50]


def test_a_data_bucket_of_ones_own_can_be_read_by_jobs(stacks: Any, cloud: Any) -> None:
    name = stacks.name()
    stacks.create(TEMPLATE.read_text(), {"ProjectName": name, "DataBucket": "flowers"}, StackName=name)
    granted = statements(cloud, stacks.outputs(name)["JobRoleArn"])
    own = [statement for statement in granted if statement["Sid"] == "ReadOwnData"]
    assert own[0]["Resource"] == ["arn:aws:s3:::flowers", "arn:aws:s3:::flowers/*"]


def test_the_bucket_outlives_its_stack(stacks: Any, cloud: Any) -> None:
    name = stacks.name()
    stacks.create(TEMPLATE.read_text(), {"ProjectName": name}, StackName=name)
    bucket = stacks.outputs(name)["ArtifactBucket"]
    cloud.client("s3").put_object(Bucket=bucket, Key="models/kept", Body=b"kept")
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.client("s3").get_object(Bucket=bucket, Key="models/kept")["Body"].read() == b"kept"
    assert ("ArtifactBucket", "DELETE_SKIPPED") in [told[:2] for told in stacks.told(_deleted(stacks, name))]


def _deleted(stacks: Any, name: str) -> str:
    rows = stacks.cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    return next(row["StackId"] for row in rows if row["StackName"] == name)


def test_a_project_name_that_names_no_repository_is_refused_in_plain_words(stacks: Any) -> None:
    with pytest.raises(Exception, match="lower-case letters, digits and single hyphens"):
        stacks.create(TEMPLATE.read_text(), {"ProjectName": "My Project"})
