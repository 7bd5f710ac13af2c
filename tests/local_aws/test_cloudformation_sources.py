"""Connections and repositories as resources: what the pipelines of a stack take their sources from."""

from __future__ import annotations

from typing import Any

import pytest

CONNECTION = """
Parameters: {{Owner: {{Type: String, Default: ml}}}}
Resources:
  Connection:
    Type: {type_name}
    Properties: {{ConnectionName: iris, ProviderType: GitHub, Tags: [{{Key: owner, Value: !Ref Owner}}]}}
Outputs:
  Arn: {{Value: !GetAtt Connection.ConnectionArn}}
  Ref: {{Value: !Ref Connection}}
  Status: {{Value: !GetAtt Connection.ConnectionStatus}}
"""
REPOSITORY = """
Parameters: {Text: {Type: String, Default: one}, Owner: {Type: String, Default: ml}}
Resources:
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties: {RepositoryName: NAME, RepositoryDescription: !Ref Text, Tags: [{Key: owner, Value: !Ref Owner}]}
Outputs:
  Arn: {Value: !GetAtt Repository.Arn}
  Url: {Value: !GetAtt Repository.CloneUrlHttp}
  Name: {Value: !GetAtt Repository.Name}
  Ref: {Value: !Ref Repository}
"""


@pytest.mark.parametrize(
    ("type_name", "service"),
    [
        ("AWS::CodeConnections::Connection", "codeconnections"),
        ("AWS::CodeStarConnections::Connection", "codestar-connections"),
    ],
)
def test_a_connection_is_pending_until_a_person_finishes_it(
    stacks: Any, cloud: Any, type_name: str, service: str
) -> None:
    template = CONNECTION.format(type_name=type_name)
    name = stacks.create(template)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    outputs, connections = stacks.outputs(name), cloud.client(service)
    arn = outputs["Arn"]
    assert outputs == {"Arn": arn, "Ref": arn, "Status": "PENDING"}
    assert arn.startswith(f"arn:aws:{service}:us-east-1:123456789012:connection/")
    assert stacks.update(name, template, {"Owner": "data"})["StackStatus"] == "UPDATE_COMPLETE"
    assert connections.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "data"}]
    assert stacks.outputs(name)["Arn"] == arn
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(connections.exceptions.ResourceNotFoundException):
        connections.get_connection(ConnectionArn=arn)


def test_a_connection_to_nowhere_is_refused(stacks: Any) -> None:
    template = "Resources: {Connection: {Type: AWS::CodeConnections::Connection, Properties: {ConnectionName: iris}}}"
    name = stacks.create(template)
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "ProviderType or HostArn" in stacks.reason(name, "Connection", "CREATE_FAILED")


def test_a_connection_that_is_gone_already_is_no_obstacle_to_deletion(stacks: Any, cloud: Any) -> None:
    name = stacks.create(CONNECTION.format(type_name="AWS::CodeConnections::Connection"))
    cloud.client("codeconnections").delete_connection(ConnectionArn=stacks.outputs(name)["Arn"])
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_a_repository_is_made_changed_and_unmade(stacks: Any, cloud: Any) -> None:
    name = stacks.name()
    template = REPOSITORY.replace("NAME", name)
    stacks.create(template, StackName=name)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    codecommit, outputs = cloud.client("codecommit"), stacks.outputs(name)
    found = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert outputs == {
        "Arn": found["Arn"],
        "Url": found["cloneUrlHttp"],
        "Name": name,
        "Ref": found["repositoryId"],
    }
    assert stacks.update(name, template, {"Text": "two", "Owner": "data"})["StackStatus"] == "UPDATE_COMPLETE"
    changed = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert changed["repositoryDescription"] == "two"
    assert codecommit.list_tags_for_resource(resourceArn=found["Arn"])["tags"] == {"owner": "data"}
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(codecommit.exceptions.RepositoryDoesNotExistException):
        codecommit.get_repository(repositoryName=name)


def test_a_first_commit_from_s3_is_refused_and_not_left_out(stacks: Any, cloud: Any) -> None:
    code = "Code: {S3: {Bucket: seeds, Key: seed.zip}}, RepositoryName: "
    name = stacks.create(REPOSITORY.replace("RepositoryName: NAME", code + stacks.name()))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "Property Code is not carried out by local-aws" in stacks.reason(name, "Repository", "CREATE_FAILED")


def test_triggers_of_a_repository_are_said_to_have_no_effect(stacks: Any) -> None:
    trigger = "{Name: all, DestinationArn: 'arn:aws:sns:us-east-1:123456789012:t', Events: [all]}"
    name = stacks.create(REPOSITORY.replace("NAME", f"{stacks.name()}, Triggers: [{trigger}]"))
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    assert "Triggers is recorded, not carried out" in stacks.reason(name, "Repository", "CREATE_IN_PROGRESS")
    stacks.delete(name)
