"""What can be done about a stack beside making, changing and deleting it: cancel, roll back, protect, recover."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import stack_record
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.stack_record import StackRecord
from local_aws.cloudformation.stack_role import principal_for
from local_aws.cloudformation.stack_run import StackRun, close
from local_aws.errors import AwsError
from local_aws.lifecycle import on_start
from local_aws.operations import CLOUDFORMATION
from local_aws.store import Body

_INTERRUPTED = "The local-aws server was stopped while this operation was under way."


@CLOUDFORMATION.operation("CancelUpdateStack")
def cancel_update_stack(cloud: Cloud, request: dict[str, Any]) -> None:
    """Have an update stop where it is and roll back."""
    stack = stack_record.get(cloud, request["StackName"])
    record = StackRecord(cloud, stack["StackId"], request.get("ClientRequestToken"))
    with cloud.store.transaction():
        if record.status != "UPDATE_IN_PROGRESS":
            raise refused("CancelUpdateStack cannot be called from current stack status")
        record.change({"_interrupt": {"reason": "Stack update cancelled."}})


@CLOUDFORMATION.operation("ContinueUpdateRollback")
def continue_update_rollback(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Try again to return to the last good state; resources named by `ResourcesToSkip` are taken to be there."""
    stack = stack_record.get(cloud, request["StackName"])
    record = StackRecord(cloud, stack["StackId"], request.get("ClientRequestToken"))
    principal = principal_for(cloud, request, stack)
    with cloud.store.transaction():
        if record.status != "UPDATE_ROLLBACK_FAILED":
            raise refused(f"Stack:{stack['StackId']} is in {record.status} state and can not continue rollback.")
        record.set_status("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    run = StackRun(cloud, stack["StackId"], principal, request.get("ClientRequestToken"))
    run.start(run.roll_back_update, tuple(request.get("ResourcesToSkip", [])))
    return {}


@CLOUDFORMATION.operation("RollbackStack")
def rollback_stack(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Return a stack that was left CREATE_FAILED or UPDATE_FAILED to its last good state."""
    stack = stack_record.get(cloud, request["StackName"])
    record = StackRecord(cloud, stack["StackId"], request.get("ClientRequestToken"))
    principal = principal_for(cloud, request, stack)
    run = StackRun(cloud, stack["StackId"], principal, request.get("ClientRequestToken"))
    with cloud.store.transaction():
        status = record.status
        if status == "CREATE_FAILED":
            record.set_status("ROLLBACK_IN_PROGRESS", "User Initiated")
        elif status == "UPDATE_FAILED":
            record.set_status("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        else:
            raise refused(f"Stack:{stack['StackId']} is in {status} state and can not be rolled back.")
    run.start(run.roll_back_creation if status == "CREATE_FAILED" else run.roll_back_update)
    return {"StackId": stack["StackId"]}


@CLOUDFORMATION.operation("UpdateTerminationProtection")
def update_termination_protection(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Protect a stack from deletion, or no longer."""
    stack = stack_record.get(cloud, request["StackName"])
    record = StackRecord(cloud, stack["StackId"])
    record.change({"EnableTerminationProtection": request["EnableTerminationProtection"]})
    return {"StackId": stack["StackId"]}


@on_start
def close_interrupted(cloud: Cloud) -> None:
    """After a restart: finish clean-ups, and bring every other operation that was under way to its failed state."""
    for body in cloud.store.all(stack_record.KIND):
        status, stack_id = body["StackStatus"], body["StackId"]
        if status.endswith("COMPLETE_CLEANUP_IN_PROGRESS"):
            _finish(cloud, body)
        elif status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            close(StackRecord(cloud, stack_id), _INTERRUPTED)


def _finish(cloud: Cloud, stack: Body) -> None:
    try:
        principal = principal_for(cloud, {}, stack)
    except AwsError as error:
        close(StackRecord(cloud, stack["StackId"]), error.message)
        return
    run = StackRun(cloud, stack["StackId"], principal)
    run.start(run.clean_up, stack["StackStatus"].removesuffix("_CLEANUP_IN_PROGRESS"), patience=0)
