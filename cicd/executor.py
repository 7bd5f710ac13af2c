"""Deploys the stack: a change set is made and read first, and carried out when a person has said yes.
A first deployment that fails is removed once its reasons are read; an update that fails is rolled back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cicd.errors import CicdError
from cicd.parameters import Parameters
from cicd.plan import Action, Plan, action_for, compare, read_changes
from cicd.stack import Event, Stack, events, find_stack, follow, pauses, reasons
from cicd.teardown import remove_stack

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
class Executor:
    """CloudFormation, S3 for what a failed creation leaves, and whom to tell of events.

    `change_set_name` is the name of this run's change set, `sleep` waits in seconds.
    """

    cloudformation: Any
    s3: Any
    change_set_name: str
    report: Callable[[Event], None]
    sleep: Callable[[float], None] = time.sleep

    def propose(self, parameters: Parameters, body: str) -> Proposal | None:
        """Find out what a deployment would change; None if that is nothing.

        Raises:
            CicdError: CloudFormation refuses the template or its parameters, or the stack cannot be changed now.
        """
        name = parameters.stack_name
        stack = find_stack(self.cloudformation, name)
        action = action_for(stack.status if stack else None, name)
        if stack and action is Action.CREATE_ANEW:
            remove_stack(self.cloudformation, self.s3, stack, self.report, self.sleep)
        creating = action is not Action.UPDATE
        change_set = self.cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=self.change_set_name,
            ChangeSetType="CREATE" if creating else "UPDATE",
            TemplateBody=body,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.values.items()],
            Capabilities=["CAPABILITY_IAM"],
            # CloudFormation hands the tag on to all that can bear one.
            Tags=[{"Key": "project", "Value": parameters.project}],
        )["Id"]
        status, reason = self._planned(name, change_set)
        proposed = find_stack(self.cloudformation, name)
        if proposed is None:
            raise CicdError(f"The stack {name} is gone while it was planned: deploy again.")
        now = stack.parameters if stack and not creating else {}
        described = self.cloudformation.get_paginator("describe_change_set").paginate(
            StackName=name, ChangeSetName=change_set
        )
        plan = Plan(action, read_changes(described), compare(now, parameters.values) if not creating else ())
        proposal = Proposal(plan, change_set, proposed)
        if status == "CREATE_COMPLETE":
            return proposal
        self.withdraw(proposal)
        if any(phrase in reason for phrase in _NO_CHANGES):
            return None
        raise CicdError(f"CloudFormation cannot plan the stack {name}: {reason}")

    def withdraw(self, proposal: Proposal) -> None:
        """Leave everything as it was before `propose`."""
        name = proposal.stack.name
        self.cloudformation.delete_change_set(StackName=name, ChangeSetName=proposal.change_set)
        if proposal.plan.action is not Action.UPDATE:
            self.cloudformation.delete_stack(StackName=name)

    def carry_out(self, proposal: Proposal) -> Stack:
        """Do what was proposed and wait for its end; the stack as it is then.

        Raises:
            CicdError: it failed; the message says what of and what is left, the evidence why.
        """
        stack = proposal.stack
        before = frozenset(event.id for event in events(self.cloudformation, stack.id))
        self.cloudformation.execute_change_set(StackName=stack.name, ChangeSetName=proposal.change_set)
        status = follow(self.cloudformation, stack, before, self.report, self.sleep)
        found = find_stack(self.cloudformation, stack.id)
        if status in _DONE and found:
            return found
        happened = [event for event in events(self.cloudformation, stack.id) if event.id not in before]
        why = reasons(happened, stack.name)
        raise CicdError(
            f"The stack {stack.name} could not be deployed: {why[0] if why else 'CloudFormation names no reason'}. "
            f"{self._left(proposal, status)} Remove the cause and deploy again.",
            why[1:],
        )

    def _left(self, proposal: Proposal, status: str) -> str:
        stack = proposal.stack
        if proposal.plan.action is not Action.UPDATE:
            remove_stack(self.cloudformation, self.s3, stack, self.report, self.sleep)
            return "What was made of it is removed again."
        if status == "UPDATE_ROLLBACK_COMPLETE":
            return "The update is rolled back: everything is as it was."
        return f"The stack is {status}: see its events in the console."

    def _planned(self, name: str, change_set: str) -> tuple[str, str]:
        for _ in pauses(f"The stack {name} is not planned", self.sleep):
            found = self.cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return found["Status"], found.get("StatusReason", "no reason is given")
        raise AssertionError("pauses end by an exception only")
