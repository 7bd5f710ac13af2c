"""Change sets: what a deployment would do, made and read first, carried out when it is asked for.

`aws cloudformation deploy` is a change set of type CREATE (on a stack in REVIEW_IN_PROGRESS) or UPDATE.
"""

from __future__ import annotations

import uuid
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import stack_record, stacks
from local_aws.cloudformation.planner import Action, Change
from local_aws.cloudformation.proposal import Proposal, propose
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.resource_type import find_type
from local_aws.cloudformation.stack_record import CHANGE_SET_KIND as KIND
from local_aws.cloudformation.stack_record import StackRecord
from local_aws.cloudformation.stack_role import principal_for
from local_aws.errors import AwsError
from local_aws.operations import CLOUDFORMATION
from local_aws.store import Body, now

_NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
_KEPT = ("Description", "NotificationARNs", "RollbackConfiguration", "OnStackFailure")


@CLOUDFORMATION.operation("CreateChangeSet")
def create_change_set(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Plan what a template would change; an empty or impossible plan is a FAILED change set that says why."""
    kind = request.get("ChangeSetType", "UPDATE")
    if kind == "IMPORT":
        raise refused("Change sets of type IMPORT are not carried out by local-aws.")
    stack = stack_record.find(cloud, request["StackName"])
    if kind == "CREATE":
        stack = _stack_to_create(cloud, request, stack)
    elif stack is None:
        raise refused(f"Stack [{request['StackName']}] does not exist")
    elif stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        raise refused(f"Stack:{stack['StackId']} is in REVIEW_IN_PROGRESS state and can not be updated.")
    else:
        stacks.check_updatable(stack)
    principal_for(cloud, request, stack)
    proposal = propose(cloud, request, stack)
    _enter_stack(cloud, request, stack)
    return _enter(cloud, request, stack, proposal, kind)


def _stack_to_create(cloud: Cloud, request: dict[str, Any], stack: Body | None) -> Body:
    if stack is None:
        name = stacks.checked_name(request["StackName"])
        return {"StackName": name, "StackId": stacks.new_stack_id(cloud, name), "StackStatus": "REVIEW_IN_PROGRESS"}
    if stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        raise refused(
            f"Stack [{stack['StackName']}] already exists and cannot be created again with the changeSet "
            f"[{request['ChangeSetName']}]."
        )
    return stack


def _enter_stack(cloud: Cloud, request: dict[str, Any], stack: Body) -> None:
    if cloud.store.find(stack_record.KIND, stack["StackId"]) is None:
        stacks.enter(cloud, request, stack["StackName"], stack["StackId"], "REVIEW_IN_PROGRESS", None)


def _enter(cloud: Cloud, request: dict[str, Any], stack: Body, proposal: Proposal, kind: str) -> dict[str, Any]:
    reason = _unknown_types(proposal)
    if reason is None and kind == "UPDATE" and not stacks.changes_anything(stack, proposal):
        reason = _NO_CHANGES
    change_set_id = cloud.arn(f"changeSet/{request['ChangeSetName']}/{uuid.uuid4()}", "cloudformation")
    body = {
        "ChangeSetName": request["ChangeSetName"],
        "ChangeSetId": change_set_id,
        "StackId": stack["StackId"],
        "StackName": stack["StackName"],
        "CreationTime": now(),
        "Status": "FAILED" if reason else "CREATE_COMPLETE",
        **({"StatusReason": reason} if reason else {}),
        "ExecutionStatus": "UNAVAILABLE" if reason else "AVAILABLE",
        "Changes": [{"Type": "Resource", "ResourceChange": _shown(change)} for change in proposal.plan.effective],
        **{name: request[name] for name in _KEPT if name in request},
        **{name: value for name, value in proposal.stored().items() if name != "Description"},
        "_type": kind,
        "_request": request,
    }
    with cloud.store.transaction():
        namesake = _find(cloud, stack["StackId"], request["ChangeSetName"])
        if namesake is not None and namesake["ExecutionStatus"] != "EXECUTE_COMPLETE":
            raise AwsError("AlreadyExistsException", f"ChangeSet {request['ChangeSetName']} already exists")
        cloud.store.create(KIND, change_set_id, body)
    return {"Id": change_set_id, "StackId": stack["StackId"]}


def _unknown_types(proposal: Proposal) -> str | None:
    unknown = sorted(
        {name for name in proposal.template.resource_types() if find_type(name) is None}
        & {proposal.blueprint.declared(name).type_name for name in proposal.blueprint.order}
    )
    return f"Resource types not known to local-aws: [{', '.join(unknown)}]" if unknown else None


def _shown(change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Action": "Modify" if change.action is Action.REPLACE else change.action.value,
        "LogicalResourceId": change.logical_id,
        "ResourceType": change.type_name,
        "Scope": [],
        "Details": [],
    }
    if change.physical_id:
        shown["PhysicalResourceId"] = change.physical_id
    if change.action in (Action.MODIFY, Action.REPLACE):
        shown["Replacement"] = "True" if change.action is Action.REPLACE else "False"
        shown["Scope"] = sorted({"Tags" if cause.name == "Tags" else "Properties" for cause in change.properties})
        shown["Details"] = [
            {
                "Target": {
                    "Attribute": "Tags" if cause.name == "Tags" else "Properties",
                    **({} if cause.name == "Tags" else {"Name": cause.name}),
                    "RequiresRecreation": "Always" if cause.replaces else "Never",
                },
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
            for cause in change.properties
        ]
    return shown


@CLOUDFORMATION.operation("DescribeChangeSet")
def describe_change_set(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A change set with all its changes."""
    body = get_change_set(cloud, request)
    return {key: value for key, value in body.items() if not key.startswith("_")}


@CLOUDFORMATION.operation("ListChangeSets")
def list_change_sets(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The change sets of a stack that have not been carried out."""
    stack = stack_record.get(cloud, request["StackName"])
    rows = cloud.store.all(KIND, {"StackId": stack["StackId"]})
    return {"Summaries": [row for row in rows if row["ExecutionStatus"] != "EXECUTE_COMPLETE"]}


@CLOUDFORMATION.operation("DeleteChangeSet")
def delete_change_set(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Forget a change set; one that is not there is no error where its stack is."""
    found = _named(cloud, request)
    if found is not None:
        cloud.store.delete(KIND, found["ChangeSetId"])
    return {}


@CLOUDFORMATION.operation("ExecuteChangeSet")
def execute_change_set(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Carry a change set out; all others of its stack, made for a stack that is no more, are forgotten."""
    change_set = get_change_set(cloud, request)
    stack = cloud.store.get(stack_record.KIND, change_set["StackId"])
    creates = change_set["_type"] == "CREATE"
    if change_set["ExecutionStatus"] != "AVAILABLE" or (creates and stack["StackStatus"] != "REVIEW_IN_PROGRESS"):
        raise AwsError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{change_set['ChangeSetId']}] cannot be executed in its current status of "
            f"[{change_set['Status']}]",
        )
    asked = {**change_set["_request"], **{key: value for key, value in request.items() if key == "DisableRollback"}}
    asked["ClientRequestToken"] = request.get("ClientRequestToken")
    asked.pop("UsePreviousTemplate", None)
    asked.pop("TemplateURL", None)
    proposal = propose(cloud, {**asked, "TemplateBody": change_set["_template"]}, stack)
    if creates:
        _begin_creation(cloud, asked, change_set, proposal)
    else:
        stacks.begin_update(cloud, asked, change_set["StackId"], proposal)
        StackRecord(cloud, change_set["StackId"]).change({"ChangeSetId": change_set["ChangeSetId"]})
    _forget_others(cloud, change_set)
    return {}


def _begin_creation(cloud: Cloud, asked: dict[str, Any], change_set: Body, proposal: Proposal) -> None:
    record = StackRecord(cloud, change_set["StackId"], asked.get("ClientRequestToken"))
    with cloud.store.transaction():
        if record.status != "REVIEW_IN_PROGRESS":
            raise AwsError("InvalidChangeSetStatus", f"Stack {record.stack_name} is {record.status} already")
        stored = {**proposal.stored(), "ChangeSetId": change_set["ChangeSetId"]}
        record.set_status("CREATE_IN_PROGRESS", "User Initiated", **stored)
    stacks.begin_creation(cloud, asked, change_set["StackId"], proposal)


def _forget_others(cloud: Cloud, executed: Body) -> None:
    cloud.store.update(KIND, executed["ChangeSetId"], {"ExecutionStatus": "EXECUTE_COMPLETE"})
    for body in cloud.store.all(KIND, {"StackId": executed["StackId"]}, ["ChangeSetId"]):
        if body["ChangeSetId"] != executed["ChangeSetId"]:
            cloud.store.delete(KIND, body["ChangeSetId"])


def get_change_set(cloud: Cloud, request: dict[str, Any]) -> Body:
    """The change set a request names, by ARN or by its own and its stack's name; raises ChangeSetNotFound."""
    found = _named(cloud, request)
    if found is None:
        raise AwsError("ChangeSetNotFound", f"ChangeSet [{request['ChangeSetName']}] does not exist", 404)
    return found


def _named(cloud: Cloud, request: dict[str, Any]) -> Body | None:
    name = request["ChangeSetName"]
    if name.startswith("arn:"):
        return cloud.store.find(KIND, name)
    if not request.get("StackName"):
        raise refused("StackName must be specified if ChangeSetName is not specified as an ARN.")
    stack = stack_record.get(cloud, request["StackName"])
    return _find(cloud, stack["StackId"], name)


def _find(cloud: Cloud, stack_id: str, name: str) -> Body | None:
    rows = cloud.store.all(KIND, {"StackId": stack_id, "ChangeSetName": name})
    return rows[-1] if rows else None
