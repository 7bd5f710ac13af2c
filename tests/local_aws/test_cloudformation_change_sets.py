"""Change sets, by which `aws cloudformation deploy` makes and changes stacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

TEMPLATE = """
Parameters: {Text: {Type: String, Default: one}, Name: {Type: String, Default: ""}}
Conditions: {Named: !Not [!Equals [!Ref Name, ""]]}
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !If [Named, !Ref Name, !Ref "AWS::NoValue"]}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${Text} ${Group}"}}
"""


def deploy(stacks: Any, name: str, template: str, **parameters: str) -> dict[str, Any]:
    """What `aws cloudformation deploy` does up to the change set; its description."""
    try:
        exists = stacks.status(name) != "REVIEW_IN_PROGRESS"
    except ClientError:
        exists = False
    request = stacks.request(template, parameters, {})
    kind = "UPDATE" if exists else "CREATE"
    change_set = stacks.cloudformation.create_change_set(
        StackName=name, ChangeSetName="deployment", ChangeSetType=kind, **request
    )
    return dict(stacks.cloudformation.describe_change_set(ChangeSetName=change_set["Id"]))


def execute(stacks: Any, described: dict[str, Any]) -> str:
    waiter = stacks.cloudformation.get_waiter("change_set_create_complete")
    waiter.wait(ChangeSetName=described["ChangeSetId"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    stacks.cloudformation.execute_change_set(ChangeSetName=described["ChangeSetId"])
    return str(stacks.settled(described["StackId"])["StackStatus"])


def changes(described: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [
        (change["ResourceChange"]["Action"], change["ResourceChange"]["LogicalResourceId"],
         change["ResourceChange"].get("Replacement"))
        for change in described["Changes"]
    ]  # fmt: skip


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_a_stack_under_review_becomes_a_stack_when_its_change_set_is_executed(stacks: Any) -> None:
    name = stacks.name()
    described = deploy(stacks, name, TEMPLATE)
    assert stacks.status(name) == "REVIEW_IN_PROGRESS"
    assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(described) == [("Add", "Group", None), ("Add", "Note", None)]
    assert stacks.resources(name) == {}
    assert refused(lambda: stacks.update(name, TEMPLATE))[0] == "ValidationError"
    assert execute(stacks, described) == "CREATE_COMPLETE"
    assert list(stacks.resources(name)) == ["Group", "Note"]
    again = refused(lambda: stacks.cloudformation.execute_change_set(ChangeSetName=described["ChangeSetId"]))
    assert again[0] == "InvalidChangeSetStatus"


def test_a_change_set_on_a_stack_changes_that_stack_and_makes_no_second_one(stacks: Any) -> None:
    name = stacks.name()
    assert execute(stacks, deploy(stacks, name, TEMPLATE)) == "CREATE_COMPLETE"
    stack_id, note = stacks.describe(name)["StackId"], stacks.resources(name)["Note"]
    described = deploy(stacks, name, TEMPLATE, Name=f"{name}/named")
    assert changes(described) == [("Modify", "Group", "True"), ("Modify", "Note", "False")]
    assert execute(stacks, described) == "UPDATE_COMPLETE"
    assert stacks.resources(name) == {"Group": f"{name}/named", "Note": note}
    same = [row for row in stacks.cloudformation.describe_stacks()["Stacks"] if row["StackName"] == name]
    assert [row["StackId"] for row in same] == [stack_id]
    taken = refused(
        lambda: stacks.cloudformation.create_change_set(
            StackName=name, ChangeSetName="other", ChangeSetType="CREATE", TemplateBody=TEMPLATE
        )
    )
    assert "already exists and cannot be created again" in taken[1]


def test_a_change_set_of_nothing_fails_in_the_words_that_deploy_looks_for(stacks: Any) -> None:
    name = stacks.name()
    execute(stacks, deploy(stacks, name, TEMPLATE))
    described = deploy(stacks, name, TEMPLATE)
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert described["StatusReason"].startswith("The submitted information didn't contain changes.")
    answer = refused(lambda: stacks.cloudformation.execute_change_set(ChangeSetName=described["ChangeSetId"]))
    assert answer[0] == "InvalidChangeSetStatus"


def test_a_change_set_with_a_type_that_is_not_known_fails_by_name(stacks: Any) -> None:
    name = stacks.name()
    described = deploy(stacks, name, TEMPLATE + "  Queue: {Type: AWS::SQS::Queue}\n")
    assert described["Status"] == "FAILED"
    assert "AWS::SQS::Queue" in described["StatusReason"]
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    gone = refused(lambda: stacks.cloudformation.describe_change_set(ChangeSetName=described["ChangeSetId"]))
    assert gone[0] == "ChangeSetNotFound"


def test_change_sets_are_listed_deleted_and_forgotten_once_another_is_executed(stacks: Any) -> None:
    name, cloudformation = stacks.name(), stacks.cloudformation
    execute(stacks, deploy(stacks, name, TEMPLATE))
    for number in ("first", "second", "third"):
        cloudformation.create_change_set(
            StackName=name, ChangeSetName=number, **stacks.request(TEMPLATE, {"Text": number}, {})
        )
    answer = refused(
        lambda: cloudformation.create_change_set(
            StackName=name, ChangeSetName="first", **stacks.request(TEMPLATE, {"Text": "x"}, {})
        )
    )
    assert answer[0] == "AlreadyExistsException"
    cloudformation.delete_change_set(StackName=name, ChangeSetName="third")
    listed = cloudformation.list_change_sets(StackName=name)["Summaries"]
    assert [row["ChangeSetName"] for row in listed] == ["first", "second"]
    described = cloudformation.describe_change_set(StackName=name, ChangeSetName="second")
    assert execute(stacks, described) == "UPDATE_COMPLETE"
    assert cloudformation.list_change_sets(StackName=name)["Summaries"] == []
    gone = refused(lambda: cloudformation.describe_change_set(StackName=name, ChangeSetName="first"))
    assert gone == ("ChangeSetNotFound", "ChangeSet [first] does not exist")


def test_a_previous_value_is_used_where_the_request_asks_for_it(stacks: Any) -> None:
    name = stacks.create(TEMPLATE, {"Text": "kept"})
    request = {
        "StackName": name,
        "ChangeSetName": "next",
        "UsePreviousTemplate": True,
        "Parameters": [
            {"ParameterKey": "Text", "UsePreviousValue": True},
            {"ParameterKey": "Name", "ParameterValue": f"{name}/x"},
        ],
    }
    described = stacks.cloudformation.create_change_set(**request)
    assert (
        execute(stacks, stacks.cloudformation.describe_change_set(ChangeSetName=described["Id"])) == "UPDATE_COMPLETE"
    )
    shown = {row["ParameterKey"]: row["ParameterValue"] for row in stacks.describe(name)["Parameters"]}
    assert shown == {"Text": "kept", "Name": f"{name}/x"}
