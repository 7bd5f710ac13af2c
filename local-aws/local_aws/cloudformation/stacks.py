"""Creating, updating and deleting stacks, and what may be done to one in which state."""

from __future__ import annotations

import re
import uuid
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import exports, planner, stack_record
from local_aws.cloudformation.proposal import Proposal, propose
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.stack_record import StackRecord
from local_aws.cloudformation.stack_role import principal_for
from local_aws.cloudformation.stack_run import StackRun
from local_aws.errors import AwsError
from local_aws.operations import CLOUDFORMATION
from local_aws.store import Body, now

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_UPDATABLE = {
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
}
_DELETABLE_IN_PROGRESS = {"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"}
_NOT_CARRIED_OUT = (
    "ResourceTypes",
    "RollbackConfiguration",
    "StackPolicyBody",
    "StackPolicyURL",
)
_STACK_KEYS = ("RoleARN", "NotificationARNs", "TimeoutInMinutes", "RollbackConfiguration")


@CLOUDFORMATION.operation("CreateStack")
def create_stack(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Begin to make a stack."""
    if "OnFailure" in request and "DisableRollback" in request:
        raise refused("You can specify either DisableRollback or OnFailure, but not both.")
    name = checked_name(request["StackName"])
    stack_id = new_stack_id(cloud, name)
    principal_for(cloud, request, {})
    proposal = propose(cloud, request, {"StackName": name, "StackId": stack_id, **_options(request)})
    enter(cloud, request, name, stack_id, "CREATE_IN_PROGRESS", proposal)
    begin_creation(cloud, request, stack_id, proposal)
    return {"StackId": stack_id}


def enter(
    cloud: Cloud, request: dict[str, Any], name: str, stack_id: str, status: str, proposal: Proposal | None
) -> None:
    """Put a new stack into the store; raises `AwsError` (AlreadyExistsException) where the name is taken."""
    body = {
        "StackId": stack_id,
        "StackName": name,
        "CreationTime": now(),
        "StackStatus": status,
        "DisableRollback": _on_failure(request) == "DO_NOTHING",
        "EnableTerminationProtection": bool(request.get("EnableTerminationProtection")),
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "Outputs": [],
        **_options(request),
        **(proposal.stored() if proposal else {"Parameters": [], "Tags": request.get("Tags", []), "Capabilities": []}),
        "_resources": {},
    }
    with cloud.store.transaction():
        if stack_record.find(cloud, name) is not None:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        cloud.store.create(stack_record.KIND, stack_id, body)
    StackRecord(cloud, stack_id, request.get("ClientRequestToken")).set_status(status, "User Initiated")


def begin_creation(cloud: Cloud, request: dict[str, Any], stack_id: str, proposal: Proposal) -> None:
    """Start the work of a stack that is CREATE_IN_PROGRESS."""
    _remark_options(cloud, request, stack_id)
    principal = principal_for(cloud, request, cloud.store.get(stack_record.KIND, stack_id))
    run = StackRun(cloud, stack_id, principal, request.get("ClientRequestToken"), request.get("TimeoutInMinutes"))
    run.start(run.create, proposal.blueprint, _on_failure(request))


@CLOUDFORMATION.operation("UpdateStack")
def update_stack(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Begin to change a stack; raises `AwsError` where nothing is to be changed."""
    stack = stack_record.get(cloud, request["StackName"])
    check_updatable(stack)
    proposal = propose(cloud, request, stack)
    if not changes_anything(stack, proposal):
        raise refused("No updates are to be performed.")
    begin_update(cloud, request, stack["StackId"], proposal)
    return {"StackId": stack["StackId"]}


def check_updatable(stack: Body) -> None:
    """Raise `AwsError` for a stack whose state allows no update."""
    if stack["StackStatus"] not in _UPDATABLE:
        raise refused(f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated.")


def changes_anything(stack: Body, proposal: Proposal) -> bool:
    """Whether a proposal would do anything to the stack, its outputs included."""
    return bool(proposal.plan.effective) or proposal.plan.outputs != planner.output_rows(stack.get("Outputs", []))


def begin_update(cloud: Cloud, request: dict[str, Any], stack_id: str, proposal: Proposal) -> None:
    """Bring the stack into UPDATE_IN_PROGRESS and start the work; of two at once the second is refused."""
    record = StackRecord(cloud, stack_id, request.get("ClientRequestToken"))
    principal = principal_for(cloud, request, record.body)
    with cloud.store.transaction():
        check_updatable(record.body)
        record.remember_good()
        record.set_status(
            "UPDATE_IN_PROGRESS",
            "User Initiated",
            LastUpdatedTime=now(),
            _interrupt=None,
            **_options(request),
            **proposal.stored(),
        )
    _remark_options(cloud, request, stack_id)
    run = StackRun(cloud, stack_id, principal, request.get("ClientRequestToken"))
    run.start(run.update, proposal.blueprint, _on_failure(request) == "DO_NOTHING")


@CLOUDFORMATION.operation("DeleteStack")
def delete_stack(cloud: Cloud, request: dict[str, Any]) -> None:
    """Begin to unmake a stack; one that is not there is no error."""
    stack = stack_record.find(cloud, request["StackName"])
    if stack is None or stack["StackStatus"] in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
        return
    name, status = stack["StackName"], stack["StackStatus"]
    if stack["EnableTerminationProtection"]:
        raise refused(f"Stack [{name}] cannot be deleted while TerminationProtection is enabled")
    if status.endswith("_IN_PROGRESS") and status not in _DELETABLE_IN_PROGRESS:
        raise refused(f"Stack [{name}] cannot be deleted while in status {status}")
    retained = request.get("RetainResources", [])
    if retained and status != "DELETE_FAILED":
        raise refused(
            f"Invalid operation on stack [{stack['StackId']}]: specify which resources to retain only when the stack "
            "is in the DELETE_FAILED state."
        )
    principal = principal_for(cloud, request, stack)
    exports.check(cloud, stack["StackId"], [])
    record = StackRecord(cloud, stack["StackId"], request.get("ClientRequestToken"))
    with cloud.store.transaction():
        status = record.status
        if status == "CREATE_IN_PROGRESS":
            # The thread that makes the stack finds this, stops making it and unmakes it.
            record.change({"_interrupt": {"reason": "Stack deletion requested."}})
        record.set_status("DELETE_IN_PROGRESS", "User Initiated")
    if status != "CREATE_IN_PROGRESS":
        run = StackRun(cloud, stack["StackId"], principal, request.get("ClientRequestToken"))
        run.start(run.delete, tuple(retained))


def new_stack_id(cloud: Cloud, name: str) -> str:
    """A stack's ARN, unlike any other even of the same name."""
    return cloud.arn(f"stack/{name}/{uuid.uuid4()}", "cloudformation")


def checked_name(name: str) -> str:
    """The name of a stack to be; raises `AwsError` for one that AWS does not allow."""
    if not _NAME.fullmatch(name):
        raise refused(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    return name


def _remark_options(cloud: Cloud, request: dict[str, Any], stack_id: str) -> None:
    record = StackRecord(cloud, stack_id, request.get("ClientRequestToken"))
    for name in _NOT_CARRIED_OUT:
        if request.get(name):
            record.remark(f"option {name} is recorded, not carried out, by local-aws")


def _on_failure(request: dict[str, Any]) -> str:
    if "DisableRollback" in request:
        return "DO_NOTHING" if request["DisableRollback"] else "ROLLBACK"
    return str(request.get("OnFailure") or request.get("OnStackFailure") or "ROLLBACK")


def _options(request: dict[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in _STACK_KEYS if name in request}
