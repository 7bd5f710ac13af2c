"""A stack as CloudFormation has it: its state and outputs, its events as they happen, and why it failed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from mlflow_server.errors import ServerError

_SHORTEST, _LONGEST = 0.1, 3.0
_PATIENCE = 2 * 3600.0
# CloudFormation stops the siblings of what failed, and says so of each.
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")


@dataclass(frozen=True)
class Stack:
    """A stack at one moment."""

    name: str
    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource of a stack."""

    id: str
    resource: str
    status: str
    reason: str

    @property
    def failed(self) -> bool:
        """Whether it is a failure of its own, and not the consequence of another."""
        return self.status.endswith("_FAILED") and not self.reason.startswith(_CONSEQUENCES)

    @property
    def telling(self) -> bool:
        """Whether a person wants to see it: beginnings have ends that say more."""
        return not (self.status.endswith("_IN_PROGRESS") and self.reason in ("", "Resource creation Initiated"))


def find_stack(cloudformation: Any, name: str) -> Stack | None:
    """The stack of this name or id, None where there is none."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
    )


def deployed_stack(cloudformation: Any, name: str) -> Stack:
    """The stack of this name; raises `ServerError` where there is none."""
    found = find_stack(cloudformation, name)
    if found is None or found.status == "REVIEW_IN_PROGRESS":
        raise ServerError(f"There is no stack {name} in this account and region: deploy it by `mlflow-server deploy`.")
    return found


def events(cloudformation: Any, stack: str, known: Collection[str] = frozenset()) -> list[Event]:
    """The events of a stack, the oldest first, since those of the ids in `known`."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    # The latest come first: pages of a long history that is known are not asked for.
    found = itertools.takewhile(
        lambda raw: raw["EventId"] not in known, (event for page in pages for event in page["StackEvents"])
    )
    return [
        Event(raw["EventId"], raw["LogicalResourceId"], raw["ResourceStatus"], raw.get("ResourceStatusReason", ""))
        for raw in reversed(list(found))
    ]


def reasons(happened: list[Event], stack_name: str) -> tuple[str, ...]:
    """Why it failed: what failed by itself, in the order in which it did."""
    failed = [event for event in happened if event.failed]
    # The stack's own event only lists which of its resources failed.
    causes = [event for event in failed if event.resource != stack_name] or failed
    return tuple(f"{event.resource}: {event.reason or 'no reason is given'}" for event in causes)


def follow(
    cloudformation: Any,
    stack: Stack,
    before: frozenset[str],
    report: Callable[[Event], None],
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Report events as they happen until the stack rests; the state in which it does, DELETE_COMPLETE if it is gone.

    `before` are the ids of events that belong to what was done earlier.
    """
    told, begun = set[str](), False
    for _ in pauses(f"The stack {stack.name} is not done", sleep):
        # An event may be listed below a later one that was told already, but not below one of what was done earlier.
        for event in events(cloudformation, stack.id, before):
            if event.id not in told:
                told.add(event.id)
                begun = begun or event.resource == stack.name
                report(event)
        found = find_stack(cloudformation, stack.id)
        status = found.status if found else "DELETE_COMPLETE"
        # Only the stack's own event tells a state of this execution from that of the one before.
        if begun and not status.endswith("_IN_PROGRESS"):
            return status
    raise AssertionError("pauses end by an exception only")


def pauses(what: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Pause between looks, ever longer; raises `ServerError` after two hours."""
    seconds, waited = _SHORTEST, 0.0
    while waited < _PATIENCE:
        yield
        sleep(seconds)
        waited += seconds
        seconds = min(seconds * 1.3, _LONGEST)
    raise ServerError(f"{what} after {_PATIENCE / 3600:.0f} hours. It goes on by itself: see it in the console.")
