"""Build projects and report groups as resources."""

from __future__ import annotations

from typing import Any

import pytest

PROJECT = """
Parameters:
  Minutes: {Type: Number, Default: 30}
  Text: {Type: String, Default: one}
  More: {Type: String, Default: "yes"}
Conditions: {More: !Equals [!Ref More, "yes"]}
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: {Effect: Allow, Principal: {Service: codebuild.amazonaws.com}, Action: "sts:AssumeRole"}
  Project:
    Type: AWS::CodeBuild::Project
    Properties:
      Description: !If [More, !Ref Text, !Ref "AWS::NoValue"]
      ServiceRole: !GetAtt Role.Arn
      Source: {Type: CODEPIPELINE, BuildSpec: buildspec.yml}
      Artifacts: {Type: CODEPIPELINE}
      Environment:
        Type: LINUX_CONTAINER
        ComputeType: BUILD_GENERAL1_SMALL
        Image: aws/codebuild/amazonlinux-x86_64-standard:6.0
        PrivilegedMode: "true"
        EnvironmentVariables: [{Name: TASK, Value: !Ref Text}, {Name: TOKEN, Type: SECRETS_MANAGER, Value: "s:k"}]
      Cache: !If [More, {Type: S3, Location: !Sub "${Bucket}/cache"}, !Ref "AWS::NoValue"]
      LogsConfig: {CloudWatchLogs: {Status: ENABLED, GroupName: /aws/codebuild/iris}}
      VpcConfig: !If [More, {VpcId: vpc-1, Subnets: [subnet-1], SecurityGroupIds: [sg-1]}, !Ref "AWS::NoValue"]
      TimeoutInMinutes: !Ref Minutes
      QueuedTimeoutInMinutes: "60"
      Tags: [{Key: owner, Value: !Ref Text}]
Outputs:
  Arn: {Value: !GetAtt Project.Arn}
  Name: {Value: !Ref Project}
"""
GROUP = """
Parameters: {Owner: {Type: String, Default: ml}}
Resources:
  Reports:
    Type: AWS::CodeBuild::ReportGroup
    Properties:
      Name: NAME
      Type: TEST
      DeleteReports: true
      ExportConfig: {ExportConfigType: NO_EXPORT}
      Tags: [{Key: owner, Value: !Ref Owner}]
Outputs:
  Arn: {Value: !GetAtt Reports.Arn}
  Ref: {Value: !Ref Reports}
"""


def project_of(cloud: Any, name: str) -> dict[str, Any]:
    return dict(cloud.client("codebuild").batch_get_projects(names=[name])["projects"][0])


def test_a_project_is_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PROJECT)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    outputs = stacks.outputs(name)
    project = project_of(cloud, outputs["Name"])
    assert outputs == {"Arn": project["arn"], "Name": stacks.resources(name)["Project"]}
    assert (project["timeoutInMinutes"], project["queuedTimeoutInMinutes"]) == (30, 60)
    assert project["environment"]["privilegedMode"] is True
    variables = {row["name"]: row["value"] for row in project["environment"]["environmentVariables"]}
    assert variables == {"TASK": "one", "TOKEN": "s:k"}
    assert project["source"]["buildspec"] == "buildspec.yml"
    changed = {"Minutes": "45", "Text": "two"}
    assert stacks.update(name, PROJECT, changed)["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    project = project_of(cloud, outputs["Name"])
    assert (project["timeoutInMinutes"], project["description"]) == (45, "two")
    assert project["tags"] == [{"key": "owner", "value": "two"}]
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.client("codebuild").batch_get_projects(names=[outputs["Name"]])["projects"] == []


def test_what_the_template_no_longer_says_is_as_if_it_had_never_said_it(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PROJECT)
    assert project_of(cloud, stacks.outputs(name)["Name"])["cache"]["type"] == "S3"
    assert stacks.update(name, PROJECT, {"More": "no"})["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    project = project_of(cloud, stacks.outputs(name)["Name"])
    assert (project["cache"], project.get("description", ""), project.get("vpcConfig", {})) == (
        {"type": "NO_CACHE"},
        "",
        {},
    )
    stacks.delete(name)


def test_that_a_build_has_no_vpc_and_no_machine_of_its_own_is_said_in_the_events(stacks: Any) -> None:
    name = stacks.create(PROJECT)
    told = [reason for logical_id, _, reason in stacks.told(name) if logical_id == "Project"]
    for path in ("VpcConfig", "Environment.ComputeType"):
        assert f"property {path} is recorded, not carried out, by local-aws" in told
    image = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
    assert f"image {image} stands for the Python environment of local-aws" in told
    stacks.delete(name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("PrivilegedMode:", "PriviledgedMode:", "PriviledgedMode"),
        ("TimeoutInMinutes: !Ref", "TimeoutMinutes: !Ref", "Encountered unsupported property TimeoutMinutes"),
        ("Type: LINUX_CONTAINER", "Type: WINDOWS_SERVER_2022_CONTAINER", "WINDOWS_SERVER_2022_CONTAINER"),
        ("TimeoutInMinutes: !Ref Minutes", "FileSystemLocations: [{Type: EFS, MountPoint: /m}]", "fileSystemLocations"),
    ],
)
def test_what_is_wrong_with_a_project_fails_it_by_name(stacks: Any, old: str, new: str, said: str) -> None:
    name = stacks.create(PROJECT.replace(old, new))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert said in stacks.reason(name, "Project", "CREATE_FAILED")


def test_a_report_group_is_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    codebuild, name = cloud.client("codebuild"), stacks.name()
    template = GROUP.replace("NAME", name)
    stacks.create(template, StackName=name)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    arn = stacks.outputs(name)["Arn"]
    assert stacks.outputs(name) == {"Arn": arn, "Ref": arn}
    assert codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"][0]["name"] == name
    assert stacks.update(name, template, {"Owner": "data"})["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    found = codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"][0]
    assert found["tags"] == [{"key": "owner", "value": "data"}]
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
    assert codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"] == []
