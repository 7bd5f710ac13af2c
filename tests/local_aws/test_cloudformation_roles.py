"""The role of a stack: what it may do is what the stack may do, when it is made, changed, taken back and unmade."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

NOTE = """
Parameters: {Text: {Type: String, Default: one}}
Resources:
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Text}}
"""
BOTH = """
Parameters: {Text: {Type: String, Default: one}, Days: {Type: Number, Default: 7}}
Resources:
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Text}}
  Group: {Type: AWS::Logs::LogGroup, DependsOn: Note, Properties: {RetentionInDays: !Ref Days}}
"""
SSM = ["ssm:PutParameter", "ssm:GetParameters", "ssm:DeleteParameter"]
TAGS = ["ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"]
LOGS = ["logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy"]


class Roles:
    """Roles of one cloud that a stack may be given."""

    def __init__(self, cloud: Any) -> None:
        self.iam = cloud.client("iam")

    def allowing(self, *actions: str, principal: dict[str, str] | None = None) -> str:
        """A role that CloudFormation (or `principal`) may assume, and that may do these actions; its ARN."""
        name, trusted = f"stack-{uuid.uuid4().hex[:8]}", principal or {"Service": "cloudformation.amazonaws.com"}
        trust = {"Statement": {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}}
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.allow(arn, *actions)
        return str(arn)

    def allow(self, arn: str, *actions: str) -> None:
        """Let the role do these actions, and no others."""
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [allowed]}
        name = arn.rpartition("/")[2]
        self.iam.put_role_policy(RoleName=name, PolicyName="stack", PolicyDocument=json.dumps(document))


@pytest.fixture
def roles(cloud: Any) -> Roles:
    return Roles(cloud)


@pytest.mark.parametrize("operation", ["create_stack", "create_change_set"])
def test_a_role_that_cannot_be_assumed_is_refused_before_anything_is_made(
    stacks: Any, roles: Roles, operation: str
) -> None:
    stranger = roles.allowing("*", principal={"Service": "ec2.amazonaws.com"})
    missing = "arn:aws:iam::123456789012:role/nobody"
    more = {"ChangeSetName": "first", "ChangeSetType": "CREATE"} if operation == "create_change_set" else {}
    for role in (stranger, missing):
        name = stacks.name()
        with pytest.raises(ClientError, match=f"Role {role} is invalid or cannot be assumed"):
            getattr(stacks.cloudformation, operation)(StackName=name, TemplateBody=NOTE, RoleARN=role, **more)
        with pytest.raises(ClientError, match="does not exist"):
            stacks.describe(name)


def test_what_the_role_may_not_do_fails_the_resource_in_the_words_of_iam(stacks: Any, roles: Roles) -> None:
    role = roles.allowing(*SSM, *TAGS)
    name = stacks.create(BOTH, RoleARN=role)
    assert stacks.status(name) == "ROLLBACK_COMPLETE", stacks.told(name)
    said = stacks.reason(name, "Group", "CREATE_FAILED")
    session = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/AWSCloudFormation"
    assert f"User: {session} is not authorized to perform: logs:CreateLogGroup on resource: arn:aws:logs:" in said
    assert "because no identity-based policy allows the logs:CreateLogGroup action" in said
    assert "AccessDenied" in said
    assert stacks.reason(name, "Note", "DELETE_COMPLETE") == ""


def test_a_stack_keeps_its_role_for_what_is_done_to_it_later(stacks: Any, roles: Roles, cloud: Any) -> None:
    role = roles.allowing(*SSM, *TAGS)
    name = stacks.create(NOTE, RoleARN=role)
    assert stacks.describe(name)["RoleARN"] == role
    assert stacks.update(name, NOTE, {"Text": "two"})["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    roles.allow(role, "ssm:GetParameters")
    described = stacks.delete(name)
    assert described["StackStatus"] == "DELETE_FAILED"
    assert "not authorized to perform: ssm:DeleteParameter" in stacks.reason(name, "Note", "DELETE_FAILED")
    other = roles.allowing(*SSM)
    stacks.cloudformation.delete_stack(StackName=described["StackId"], RoleARN=other)
    assert stacks.settled(described["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_an_update_that_is_denied_is_taken_back_by_the_same_role(stacks: Any, roles: Roles, cloud: Any) -> None:
    role = roles.allowing(*SSM, *TAGS, *LOGS)
    name = stacks.create(BOTH, RoleARN=role)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    roles.allow(role, *SSM, *TAGS)
    described = stacks.update(name, BOTH, {"Text": "two", "Days": "14"})
    assert described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.told(name)
    assert "logs:PutRetentionPolicy" in stacks.reason(name, "Group", "UPDATE_FAILED")
    made = stacks.resources(name)
    assert cloud.client("ssm").get_parameter(Name=made["Note"])["Parameter"]["Value"] == "one"
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=made["Group"])["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [7]
    roles.allow(role, *SSM, *TAGS, *LOGS)
    assert stacks.update(name, BOTH, {"Text": "two", "Days": "14"})["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_a_rollback_that_is_denied_waits_for_its_permission(stacks: Any, roles: Roles, cloud: Any) -> None:
    """The note was changed before the role lost the right to change it back: that cannot be called restored."""
    role = roles.allowing(*SSM, *TAGS, *LOGS)
    name = stacks.create(BOTH, RoleARN=role)
    denying = f"""
  Guard:
    Type: AWS::IAM::Policy
    DependsOn: Note
    Properties:
      PolicyName: guard
      Roles: [{role.rpartition("/")[2]}]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: {{Effect: Deny, Action: "ssm:PutParameter", Resource: "*"}}
  Last: {{Type: AWS::S3::Bucket, DependsOn: Guard, Properties: {{BucketName: Not_A_Name}}}}
"""
    roles.allow(role, *SSM, *TAGS, *LOGS, "iam:PutRolePolicy", "iam:DeleteRolePolicy")
    described = stacks.update(name, BOTH + denying, {"Text": "two"})
    assert described["StackStatus"] == "UPDATE_ROLLBACK_FAILED", stacks.told(name)
    assert "ssm:PutParameter" in stacks.reason(name, "Note", "UPDATE_FAILED")
    roles.iam.delete_role_policy(RoleName=role.rpartition("/")[2], PolicyName="guard")
    stacks.cloudformation.continue_update_rollback(StackName=name)
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.told(name)
    assert cloud.client("ssm").get_parameter(Name=stacks.resources(name)["Note"])["Parameter"]["Value"] == "one"


def as_role(cloud: Any, role: str, service: str) -> Any:
    """A client that signs with credentials of the role."""
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="person")["Credentials"]
    return boto3.client(
        service,
        endpoint_url=cloud.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_a_stack_without_a_role_does_what_its_caller_may(stacks: Any, roles: Roles, cloud: Any) -> None:
    caller = roles.allowing("cloudformation:*", *SSM, *TAGS, principal={"AWS": "arn:aws:iam::123456789012:root"})
    name = stacks.name()
    as_role(cloud, caller, "cloudformation").create_stack(StackName=name, TemplateBody=BOTH)
    assert stacks.settled(name)["StackStatus"] == "ROLLBACK_COMPLETE", stacks.told(name)
    assert "assumed-role/" in stacks.reason(name, "Group", "CREATE_FAILED")
    assert "/person is not authorized to perform: logs:CreateLogGroup" in stacks.reason(name, "Group", "CREATE_FAILED")
    assert "RoleARN" not in stacks.describe(name)


def test_a_stack_with_a_role_does_more_than_its_caller_may(stacks: Any, roles: Roles, cloud: Any) -> None:
    role = roles.allowing(*SSM, *TAGS, *LOGS)
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    caller = roles.allowing("cloudformation:*", "iam:PassRole", principal=root)
    name = stacks.name()
    as_role(cloud, caller, "cloudformation").create_stack(StackName=name, TemplateBody=BOTH, RoleARN=role)
    assert stacks.settled(name)["StackStatus"] == "CREATE_COMPLETE", stacks.told(name)
    timid = as_role(cloud, roles.allowing("cloudformation:*", principal=root), "cloudformation")
    with pytest.raises(ClientError, match=f"not authorized to perform: iam:PassRole on resource: {role}"):
        timid.create_stack(StackName=stacks.name(), TemplateBody=BOTH, RoleARN=role)


def test_a_template_in_s3_is_read_by_the_caller(stacks: Any, roles: Roles, cloud: Any, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="t.yaml", Body=NOTE.encode())
    url = f"https://{bucket}.s3.us-east-1.amazonaws.com/t.yaml"
    caller = roles.allowing("cloudformation:*", principal={"AWS": "arn:aws:iam::123456789012:root"})
    with pytest.raises(ClientError, match=r"S3 error: .*s3:GetObject"):
        as_role(cloud, caller, "cloudformation").validate_template(TemplateURL=url)
