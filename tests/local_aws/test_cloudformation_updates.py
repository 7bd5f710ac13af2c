"""Stacks changed in place or by replacement, and taken back to the last good state when that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

STACK = """
Parameters:
  Days: {Type: Number, Default: 7}
  Text: {Type: String, Default: one}
Resources:
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub "${Text} in ${Group}"}
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
Outputs:
  Note: {Value: !GetAtt Note.Value, Description: what it says}
"""
BROKEN = """
  Last:
    Type: AWS::S3::Bucket
    DependsOn: [Note, Group]
    Properties: {BucketName: Not_A_Name}
Outputs:
"""
NAMED = "LogGroupName: {}, RetentionInDays: !Ref Days"


def groups(cloud: Any, prefix: str) -> list[str]:
    found = cloud.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return [group["logGroupName"] for group in found]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    return str(caught.value.response["Error"]["Message"])


def test_an_update_of_nothing_is_refused(stacks: Any) -> None:
    name = stacks.create(STACK)
    assert refused(lambda: stacks.update(name, STACK)) == "No updates are to be performed."
    commented = STACK + "# a remark\n"
    assert refused(lambda: stacks.update(name, commented)) == "No updates are to be performed."
    assert refused(lambda: stacks.update("nowhere-at-all", STACK)) == "Stack with id nowhere-at-all does not exist"


def test_a_parameter_inside_sub_changes_the_resource(stacks: Any, cloud: Any) -> None:
    name = stacks.create(STACK)
    note = stacks.resources(name)["Note"]
    assert stacks.update(name, STACK, {"Text": "two"})["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.client("ssm").get_parameter(Name=note)["Parameter"]["Value"].startswith("two in ")
    assert stacks.resources(name)["Note"] == note


def test_a_replacement_reaches_what_refers_to_it_and_the_replaced_goes_last(stacks: Any, cloud: Any) -> None:
    name = stacks.create(STACK)
    old = stacks.resources(name)["Group"]
    named = STACK.replace("RetentionInDays: !Ref Days", NAMED.format(f"{name}/named"))
    assert stacks.update(name, named)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.outputs(name) == {"Note": f"one in {name}/named"}
    assert groups(cloud, name) == [f"{name}/named"]
    told = [event[:2] for event in stacks.told(name)]
    cleaned = told.index((name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert told.index(("Note", "UPDATE_COMPLETE")) < cleaned < told.index(("Group", "DELETE_IN_PROGRESS"))
    assert told[-1] == (name, "UPDATE_COMPLETE")
    assert old not in groups(cloud, name)


def test_an_update_that_fails_returns_to_the_last_good_state(stacks: Any, cloud: Any) -> None:
    name = stacks.create(STACK)
    before, text = stacks.resources(name), stacks.cloudformation.get_template(StackName=name)["TemplateBody"]
    broken = STACK.replace("RetentionInDays: !Ref Days", NAMED.format(f"{name}/named")).replace("Outputs:", BROKEN)
    assert stacks.update(name, broken, {"Text": "two"})["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.resources(name) == before
    assert groups(cloud, name) == [before["Group"]]
    said = cloud.client("ssm").get_parameter(Name=before["Note"])["Parameter"]["Value"]
    assert said == f"one in {before['Group']}"
    shown = {row["ParameterKey"]: row["ParameterValue"] for row in stacks.describe(name)["Parameters"]}
    assert shown == {"Days": "7", "Text": "one"}
    assert stacks.cloudformation.get_template(StackName=name)["TemplateBody"] == text
    assert "failed to create: [Last]" in stacks.reason(name, name, "UPDATE_ROLLBACK_IN_PROGRESS")
    assert stacks.update(name, STACK, {"Text": "three"})["StackStatus"] == "UPDATE_COMPLETE"


def test_an_update_that_may_not_roll_back_stays_failed_and_can_be_rolled_back_or_mended(
    stacks: Any, cloud: Any
) -> None:
    name = stacks.create(STACK)
    before = stacks.resources(name)
    broken = STACK.replace("RetentionInDays: !Ref Days", NAMED.format(f"{name}/named")).replace("Outputs:", BROKEN)
    assert stacks.update(name, broken, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    assert len(groups(cloud, name)) == 2
    stacks.cloudformation.rollback_stack(StackName=name)
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.resources(name) == before

    assert stacks.update(name, broken, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    mended = broken.replace("Not_A_Name", name)
    assert stacks.update(name, mended)["StackStatus"] == "UPDATE_COMPLETE"
    assert groups(cloud, name) == [f"{name}/named"]


def test_a_named_resource_that_would_have_to_be_replaced_is_not(stacks: Any) -> None:
    template = """
Parameters: {Key: {Type: String, Default: AES256}}
Resources:
  Repository:
    Type: AWS::ECR::Repository
    Properties: {RepositoryName: %s, EncryptionConfiguration: {EncryptionType: !Ref Key}}
"""
    template %= stacks.name()
    name = stacks.create(template)
    assert stacks.update(name, template, {"Key": "KMS"})["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "custom-named resource requires replacing" in stacks.reason(name, "Repository", "UPDATE_FAILED")


def test_a_rollback_that_fails_is_continued_once_its_cause_is_gone(stacks: Any, cloud: Any) -> None:
    template = STACK.replace("RetentionInDays", f"LogGroupName: /{stacks.name()}, RetentionInDays")
    name = stacks.create(template)
    logs, group = cloud.client("logs"), stacks.resources(name)["Group"]
    broken = template.replace("Outputs:", BROKEN)
    assert stacks.update(name, broken, {"Days": "14"}, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    logs.delete_log_group(logGroupName=group)
    stacks.cloudformation.rollback_stack(StackName=name)
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert "does not exist" in stacks.reason(name, "Group", "UPDATE_FAILED")
    assert "UPDATE_ROLLBACK_FAILED state and can not be updated" in refused(lambda: stacks.update(name, template))

    stacks.cloudformation.continue_update_rollback(StackName=name)
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    logs.create_log_group(logGroupName=group)
    stacks.cloudformation.continue_update_rollback(StackName=name)
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    kept = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    assert kept["retentionInDays"] == 7

    assert stacks.update(name, broken, {"Days": "14"}, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    logs.delete_log_group(logGroupName=group)
    stacks.cloudformation.rollback_stack(StackName=name)
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    stacks.cloudformation.continue_update_rollback(StackName=name, ResourcesToSkip=["Group"])
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
