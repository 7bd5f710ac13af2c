"""Deploys a stack: a change set is made and read first, and carried out when a person has said yes.
A first deployment that fails is removed once its reasons are read; an update that fails is rolled back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_server.aws.plan import Action, Plan, action_for, compare, read_changes
from mlflow_server.aws.stack import Event, Stack, events, find_stack, follow, pauses, reasons
from mlflow_server.errors import ServerError

_DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
# CloudFormation says so in one of two ways when a change set comes out empty.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Proposal:
    """A change set that waits for a yes."""

    plan: Plan
    change_set: str
    stack: Stack


@dataclass(frozen=True)
class Deployment:
    """A stack to deploy: its name, its template and what it is tagged with; whom to tell of events.

    `change_set_name` makes the name of a change set that no other run has, `sleep` waits in seconds.
    """

    cloudformation: Any
    stack_name: str
    body: str
    tags: Mapping[str, str]
    change_set_name: Callable[[], str]
    report: Callable[[Event], None]
    sleep: Callable[[float], None] = time.sleep

    def propose(self, values: Mapping[str, str]) -> Proposal | None:
        """Find out what a deployment with these parameters would change; None if that is nothing.

        Raises:
            ServerError: CloudFormation refuses the template or its parameters, or the stack cannot be changed now.
        """
        stack = find_stack(self.cloudformation, self.stack_name)
        action = action_for(stack.status if stack else None, self.stack_name)
        if stack and action is Action.CREATE_ANEW:
            self.remove(stack)
        creating = action is not Action.UPDATE
        change_set = self.cloudformation.create_change_set(
            StackName=self.stack_name,
            ChangeSetName=self.change_set_name(),
            ChangeSetType="CREATE" if creating else "UPDATE",
            TemplateBody=self.body,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_IAM"],
            # CloudFormation hands the tags on to all that can bear them.
            Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()],
        )["Id"]
        status, reason = self._planned(change_set)
        proposed = find_stack(self.cloudformation, self.stack_name)
        if proposed is None:
            raise ServerError(f"The stack {self.stack_name} is gone while it was planned: deploy again.")
        described = self.cloudformation.get_paginator("describe_change_set").paginate(
            StackName=self.stack_name, ChangeSetName=change_set
        )
        now = stack.parameters if stack else {}
        plan = Plan(action, read_changes(described), () if creating else compare(now, values))
        proposal = Proposal(plan, change_set, proposed)
        if status == "CREATE_COMPLETE":
            return proposal
        self.withdraw(proposal)
        if any(phrase in reason for phrase in _NO_CHANGES):
            return None
        raise ServerError(f"CloudFormation cannot plan the stack {self.stack_name}: {reason}")

    def withdraw(self, proposal: Proposal) -> None:
        """Leave everything as it was before `propose`."""
        self.cloudformation.delete_change_set(StackName=self.stack_name, ChangeSetName=proposal.change_set)
        if proposal.plan.action is not Action.UPDATE:
            self.cloudformation.delete_stack(StackName=self.stack_name)

    def carry_out(self, proposal: Proposal) -> Stack:
        """Do what was proposed and wait for its end; the stack as it is then.

        Raises:
            ServerError: it failed; the message says what of, what is left, and every reason in a line of its own.
        """
        stack = proposal.stack
        before = frozenset(event.id for event in events(self.cloudformation, stack.id))
        self.cloudformation.execute_change_set(StackName=stack.name, ChangeSetName=proposal.change_set)
        status = follow(self.cloudformation, stack, before, self.report, self.sleep)
        found = find_stack(self.cloudformation, stack.id)
        if status in _DONE and found:
            return found
        happened = events(self.cloudformation, stack.id, before)
        why = reasons(happened, stack.name) or ("CloudFormation names no reason",)
        raise ServerError(
            "\n  ".join(
                [
                    f"The stack {stack.name} could not be deployed: {why[0]}. {self._left(proposal, status)} "
                    "Remove the cause and deploy again.",
                    *why[1:],
                ]
            )
        )

    def remove(self, stack: Stack) -> None:
        """Delete a stack that holds nothing, or as much of it as its deletion policies let go.

        Raises:
            ServerError: something of it cannot be deleted.
        """
        before = frozenset(event.id for event in events(self.cloudformation, stack.id))
        self.cloudformation.delete_stack(StackName=stack.name)
        if stack.status == "REVIEW_IN_PROGRESS":
            return
        if follow(self.cloudformation, stack, before, self.report, self.sleep) == "DELETE_COMPLETE":
            return
        happened = events(self.cloudformation, stack.id, before)
        why = reasons(happened, stack.name) or ("CloudFormation names no reason",)
        raise ServerError(
            "\n  ".join(
                [f"The stack {stack.name} cannot be removed: {why[0]}. Remove the cause and try again.", *why[1:]]
            )
        )

    def _left(self, proposal: Proposal, status: str) -> str:
        if proposal.plan.action is not Action.UPDATE:
            self.remove(proposal.stack)
            return "What was made of it is removed again."
        if status == "UPDATE_ROLLBACK_COMPLETE":
            return "The update is rolled back: everything is as it was."
        return f"The stack is {status}: see its events in the console."

    def _planned(self, change_set: str) -> tuple[str, str]:
        for _ in pauses(f"The stack {self.stack_name} is not planned", self.sleep):
            found = self.cloudformation.describe_change_set(StackName=self.stack_name, ChangeSetName=change_set)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return found["Status"], found.get("StatusReason", "no reason is given")
        raise AssertionError("pauses end by an exception only")
