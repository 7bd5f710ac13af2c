"""Waiting for a stack to settle, and what its own events say went wrong first."""

from __future__ import annotations

from local_aws.cloudformation import stack_record
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionRun
from local_aws.principal import ADMINISTRATOR, acting_as
from local_aws.store import Body

_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE")
_SHOWN_FAILURES = 3


def count_of_events(run: ActionRun, stack_id: str) -> int:
    """How many events a stack has had by now."""
    return len(_events(run, stack_id))


def settled(run: ActionRun, stack_id: str, before: int) -> str:
    """Wait until nothing happens to a stack any more; its status.

    Raises `ActionFailed` where that is a failure, with what the events after the first `before` say.
    """
    body = run.cloud.store.wait(
        stack_record.KIND,
        stack_id,
        lambda body: run.stopping.is_set() or not body["StackStatus"].endswith("_IN_PROGRESS"),
    )
    status = str(body["StackStatus"])
    if status in _GOOD:
        return status
    if status.endswith("_IN_PROGRESS"):
        raise ActionFailed(f"Stack {body['StackName']} was left {status}: it is not waited for any more.")
    told = _failures(_events(run, stack_id)[before:], stack_id)
    reason = "; ".join(told[:_SHOWN_FAILURES]) or body.get("StackStatusReason") or "its events say no reason"
    raise ActionFailed(f"Stack {body['StackName']} ended {status}: {reason}")


def _events(run: ActionRun, stack_id: str) -> list[Body]:
    """The events of a stack, oldest first; they are told to whoever reads the action, whatever its role may read."""
    events: list[Body] = []
    request = {"StackName": stack_id}
    with acting_as(ADMINISTRATOR):
        while True:
            answer = run.cloud.call("cloudformation", "DescribeStackEvents", request)
            events += answer["StackEvents"]
            if "NextToken" not in answer:
                return events[::-1]
            request = {"StackName": stack_id, "NextToken": answer["NextToken"]}


def _failures(events: list[Body], stack_id: str) -> list[str]:
    """What resources failed by themselves, and not because another had failed before them."""
    return [
        f"{event['LogicalResourceId']} ({event['ResourceType']}) {event['ResourceStatus']}: "
        f"{event.get('ResourceStatusReason', 'no reason is told')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
        and event.get("PhysicalResourceId") != stack_id
        and "cancelled" not in event.get("ResourceStatusReason", "")
    ]
