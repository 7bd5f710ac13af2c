"""Stacks made and unmade, through the states and with the events that AWS gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

QUICK = {"Delay": 1, "MaxAttempts": 60}
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


def groups(cloud: Any, prefix: str) -> list[str]:
    found = cloud.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return [group["logGroupName"] for group in found]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    return str(caught.value.response["Error"]["Message"])


def test_a_type_that_is_not_known_fails_the_stack_by_name_before_anything_is_made(stacks: Any, cloud: Any) -> None:
    name = stacks.create(STACK.replace("Outputs:", "  Queue: {Type: AWS::SQS::Queue}\nOutputs:"))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert stacks.reason(name, "Queue", "CREATE_FAILED") == "Resource type AWS::SQS::Queue is not known to local-aws."
    assert groups(cloud, name) == []


def test_a_property_that_the_type_does_not_take_fails_the_stack_by_name(stacks: Any, cloud: Any) -> None:
    name = stacks.create(STACK.replace("RetentionInDays", "RetentionInWeeks"))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert stacks.reason(name, "Group", "CREATE_FAILED") == "Encountered unsupported property RetentionInWeeks"
    name = stacks.create("Resources: {Note: {Type: AWS::SSM::Parameter, Properties: {Type: String}}}")
    assert stacks.reason(name, "Note", "CREATE_FAILED") == "Property Value cannot be empty."


def test_a_stack_that_cannot_be_made_is_rolled_back_with_the_reason_in_its_events(stacks: Any, cloud: Any) -> None:
    name = stacks.create(STACK.replace("Outputs:", BROKEN))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "Not_A_Name" in stacks.reason(name, "Last", "CREATE_FAILED")
    asked = "The following resource(s) failed to create: [Last]. Rollback requested by user."
    assert [told[:2] for told in stacks.told(name)] == [
        (name, "CREATE_IN_PROGRESS"),
        *[("Group", status) for status in (*["CREATE_IN_PROGRESS"] * 3, "CREATE_COMPLETE")],
        *[("Note", status) for status in ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")],
        ("Last", "CREATE_IN_PROGRESS"),
        ("Last", "CREATE_FAILED"),
        (name, "ROLLBACK_IN_PROGRESS"),
        ("Last", "DELETE_COMPLETE"),
        *[("Note", status) for status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")],
        *[("Group", status) for status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")],
        (name, "ROLLBACK_COMPLETE"),
    ]
    assert (name, "ROLLBACK_IN_PROGRESS", asked) in stacks.told(name)
    assert groups(cloud, name) == []
    assert "is in ROLLBACK_COMPLETE state and can not be updated" in refused(lambda: stacks.update(name, STACK))
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("option", "status", "left"),
    [
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1),
        ({"DisableRollback": True}, "CREATE_FAILED", 1),
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", 0),
    ],
)
def test_what_a_failed_stack_leaves_is_as_asked(
    stacks: Any, cloud: Any, option: dict[str, Any], status: str, left: int
) -> None:
    name = stacks.name()
    request = stacks.request(STACK.replace("Outputs:", BROKEN), {}, option)
    stack_id = stacks.cloudformation.create_stack(StackName=name, **request)["StackId"]
    assert stacks.settled(stack_id)["StackStatus"] == status
    assert len(groups(cloud, name)) == left
    if left:
        mended = BROKEN.replace("Not_A_Name", name)
        assert stacks.update(name, STACK.replace("Outputs:", mended))["StackStatus"] == "UPDATE_COMPLETE"
        assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
        assert groups(cloud, name) == []


def test_a_stack_is_made_known_and_unmade_by_boto3s_own_waiters(stacks: Any, cloud: Any) -> None:
    cloudformation, name = stacks.cloudformation, stacks.name()
    cloudformation.create_stack(StackName=name, TemplateBody=STACK, Tags=[{"Key": "team", "Value": "ml"}])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=QUICK)
    group = stacks.resources(name)["Group"]
    assert group.startswith(f"{name}-Group-")
    assert len(group) == len(f"{name}-Group-") + 12
    assert stacks.outputs(name) == {"Note": f"one in {group}"}
    assert stacks.describe(name)["Outputs"][0]["Description"] == "what it says"
    assert cloud.client("logs").list_tags_log_group(logGroupName=group)["tags"] == {"team": "ml"}
    assert "already exists" in _taken(stacks, name)

    given = [{"ParameterKey": "Text", "ParameterValue": "two"}]
    cloudformation.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=given)
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=QUICK)
    assert stacks.outputs(name) == {"Note": f"two in {group}"}

    cloudformation.update_stack(StackName=name, TemplateBody=STACK.replace("Outputs:", BROKEN))
    cloudformation.get_waiter("stack_rollback_complete").wait(StackName=name, WaiterConfig=QUICK)
    assert stacks.outputs(name) == {"Note": f"two in {group}"}

    stack_id = stacks.describe(name)["StackId"]
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=QUICK)
    assert groups(cloud, group) == []
    assert stacks.status(stack_id) == "DELETE_COMPLETE"
    assert f"Stack with id {name} does not exist" in refused(lambda: stacks.describe(name))
    listed = [row for row in cloudformation.list_stacks()["StackSummaries"] if row["StackId"] == stack_id]
    assert [row["StackStatus"] for row in listed] == ["DELETE_COMPLETE"]
    cloudformation.delete_stack(StackName=name)


def _taken(stacks: Any, name: str) -> str:
    with pytest.raises(ClientError) as caught:
        stacks.cloudformation.create_stack(StackName=name, TemplateBody=STACK)
    assert caught.value.response["Error"]["Code"] == "AlreadyExistsException"
    return str(caught.value)


def test_a_name_that_is_taken_fails_the_stack_and_the_other_is_left_alone(stacks: Any, cloud: Any) -> None:
    taken = f"/{stacks.name()}"
    cloud.client("logs").create_log_group(logGroupName=taken)
    template = f"Resources: {{Group: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: {taken}}}}}}}"
    name = stacks.create(template)
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "already exists" in stacks.reason(name, "Group", "CREATE_FAILED")
    assert groups(cloud, taken) == [taken]


def test_what_is_retained_is_left_when_its_stack_goes(stacks: Any, cloud: Any) -> None:
    template = """
Resources:
  Kept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {BucketName: %s}}
  Gone: {Type: AWS::S3::Bucket}
"""
    first, second = f"kept-{stacks.name()}", f"kept-{stacks.name()}"
    name = stacks.create(template % first)
    gone = stacks.resources(name)["Gone"]
    assert stacks.update(name, template % second)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    left = {found["Name"] for found in cloud.client("s3").list_buckets()["Buckets"]}
    assert {first, second} <= left
    assert gone not in left


def test_what_is_recorded_and_not_carried_out_is_said_in_the_events(stacks: Any) -> None:
    name = stacks.create("Resources: {Bucket: {Type: AWS::S3::Bucket, Properties: {WebsiteConfiguration: {}}}}")
    said = "property WebsiteConfiguration is recorded, not carried out, by local-aws"
    assert ("Bucket", "CREATE_IN_PROGRESS", said) in stacks.told(name)


def test_a_protected_stack_is_not_deleted(stacks: Any) -> None:
    name = stacks.create(STACK, EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in refused(lambda: stacks.delete(name))
    stacks.cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_exports_are_unique_and_hold_while_they_are_used(stacks: Any) -> None:
    export = stacks.name()
    exporting = STACK.replace("Description: what it says", f"Export: {{Name: {export}}}")
    name = stacks.create(exporting)
    user = stacks.create(f"Resources: {{G: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: !Sub ['/${{x}}', "
                         f"{{x: !Join ['', !Split [' ', !ImportValue {export}]]}}]}}}}}}")  # fmt: skip
    group = stacks.resources(name)["Group"]
    assert stacks.resources(user)["G"] == f"/onein{group}"
    assert stacks.cloudformation.list_imports(ExportName=export)["Imports"] == [user]
    assert {"Name": export, "Value": f"one in {group}"} in [
        {key: row[key] for key in ("Name", "Value")} for row in stacks.cloudformation.list_exports()["Exports"]
    ]
    assert f"Export {export} cannot be deleted as it is in use by {user}" in refused(lambda: stacks.delete(name))
    assert stacks.update(name, exporting, {"Text": "two"})["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert f"Export {export} cannot be updated" in stacks.reason(name, name, "UPDATE_ROLLBACK_IN_PROGRESS")
    second = stacks.create(exporting)
    assert f"already exported by stack {name}" in stacks.reason(second, second, "ROLLBACK_IN_PROGRESS")
    assert stacks.delete(user)["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"


def test_an_option_that_is_recorded_and_not_carried_out_is_said_in_the_events(stacks: Any) -> None:
    name = stacks.create(STACK, RollbackConfiguration={"MonitoringTimeInMinutes": 5})
    said = "option RollbackConfiguration is recorded, not carried out, by local-aws"
    assert (name, "CREATE_IN_PROGRESS", said) in stacks.told(name)
    assert stacks.describe(name)["RollbackConfiguration"] == {"MonitoringTimeInMinutes": 5}


def test_a_required_property_that_comes_to_nothing_is_missed_by_name(stacks: Any) -> None:
    template = "Resources: {Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref AWS::NoValue}}}"
    name = stacks.create(template)
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert stacks.reason(name, "Note", "CREATE_FAILED") == "Property Value cannot be empty."
