"""Carries a plan out through CloudFormation: a change set, its execution, and its events as they happen.
A creation that fails is taken away again once its reasons are read; an update that fails is rolled back."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_deploy.diagnosis import Failure, diagnose
from model_deploy.errors import DeploymentError
from model_deploy.plan import Action, Plan, Stack
from model_deploy.stacks import describe_stack, read_stack

_CREATED = "CREATE_COMPLETE"
_UPDATED = "UPDATE_COMPLETE"
_SHORTEST, _LONGEST = 0.1, 3.0
# An update may take the eight hours of its timeout_seconds, and as much again to roll back.
_PATIENCE = 16 * 3600.0
# CloudFormation says so in one of two ways when a change set comes out empty.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource of the stack."""

    resource: str
    status: str
    reason: str


@dataclass(frozen=True)
class Executor:
    """CloudFormation, and what is asked when it fails.

    `change_set_name` is the name of this run's change sets, `report` is told of every event, `sleep` waits in seconds.
    """

    cloudformation: Any
    sagemaker: Any
    logs: Any
    change_set_name: str
    report: Callable[[Event], None]
    sleep: Callable[[float], None] = time.sleep

    def stack(self, name: str) -> Stack | None:
        """The stack of this name as it is now, None if there is none."""
        return read_stack(self.cloudformation, name)

    def carry_out(self, plan: Plan, template: str, commit: str) -> bool:
        """Make the stack what the plan says, and wait until it is; False if there was nothing to change.

        Raises:
            DeploymentError: CloudFormation could not; the message says what of, the evidence why.
        """
        name = plan.deployment.stack_name
        if plan.action is Action.NOTHING:
            return False
        if plan.action is Action.CREATE_ANEW:
            self._delete(name)
        creating = plan.action is not Action.UPDATE
        before = {event["EventId"] for event in self._events(name)}
        change_set = self._change_set(plan, template, commit, creating=creating)
        if change_set is None:
            return False
        if creating:
            # The failed endpoint and its log stay until their reasons are read; then we take them away ourselves.
            self.cloudformation.execute_change_set(ChangeSetName=change_set, DisableRollback=True)
        else:
            self.cloudformation.execute_change_set(ChangeSetName=change_set)
        status = self._wait(name, before)
        if status not in (_CREATED, _UPDATED):
            failure = diagnose(self.cloudformation, self.sagemaker, self.logs, name, before)
            if creating:
                self._delete(name)
            raise _failed(plan, status, failure)
        return True

    def _change_set(self, plan: Plan, template: str, commit: str, *, creating: bool) -> str | None:
        deployment = plan.deployment
        change_set = self.cloudformation.create_change_set(
            StackName=deployment.stack_name,
            ChangeSetName=self.change_set_name,
            ChangeSetType="CREATE" if creating else "UPDATE",
            Description=f"{plan.serves_then}, commit {commit}",
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in deployment.parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in deployment.tags.items()],
        )["Id"]
        pause = _Pause(self.sleep, f"plan the stack {deployment.stack_name}")
        while True:
            found = self.cloudformation.describe_change_set(ChangeSetName=change_set, StackName=deployment.stack_name)
            if found["Status"] == "CREATE_COMPLETE":
                return str(change_set)
            if found["Status"] == "FAILED":
                break
            pause()
        reason = found.get("StatusReason", "no reason is given")
        self.cloudformation.delete_change_set(ChangeSetName=change_set, StackName=deployment.stack_name)
        if creating:
            self._delete(deployment.stack_name)
        if any(phrase in reason for phrase in _NO_CHANGES):
            return None
        raise DeploymentError(
            f"CloudFormation cannot plan the stack {deployment.stack_name}: {reason} See model-deploy/endpoint.yaml."
        )

    def _wait(self, name: str, before: set[str]) -> str:
        told, begun, pause = set(before), False, _Pause(self.sleep, f"finish the stack {name}")
        while True:
            found = self._describe(name)
            for event in reversed(self._events(name)):
                if event["EventId"] not in told:
                    told.add(event["EventId"])
                    # Only the stack's own event tells a status of this execution from that of the one before.
                    begun = begun or event["LogicalResourceId"] == name
                    pause.soon()
                    self.report(_read_event(event))
            status = found["StackStatus"] if found else "DELETE_COMPLETE"
            # An update ends with the removal of the old model, after the endpoint serves the new one: until then the
            # next deployment would be refused.
            if begun and not status.endswith("_IN_PROGRESS"):
                return str(status)
            pause()

    def _delete(self, name: str) -> None:
        self.cloudformation.delete_stack(StackName=name)
        pause = _Pause(self.sleep, f"remove the stack {name}")
        while found := self._describe(name):
            if found["StackStatus"] == "DELETE_FAILED":
                raise DeploymentError(
                    f"The remains of the failed stack {name} could not be removed: "
                    f"{found.get('StackStatusReason', 'no reason is given')}. Remove them, then deploy again."
                )
            pause()

    def _describe(self, name: str) -> dict[str, Any] | None:
        return describe_stack(self.cloudformation, name)

    def _events(self, name: str) -> list[dict[str, Any]]:
        try:
            pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
            return [event for page in pages for event in page["StackEvents"]]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return []
            raise


class _Pause:
    """Waits a little longer each time, up to three seconds, from the start again when something has happened.

    Gives up when CloudFormation takes longer than it may.
    """

    def __init__(self, sleep: Callable[[float], None], task: str) -> None:
        self._sleep, self._task = sleep, task
        self._seconds, self._waited = _SHORTEST, 0.0

    def soon(self) -> None:
        """Something has happened: more may follow at once."""
        self._seconds = _SHORTEST

    def __call__(self) -> None:
        if self._waited > _PATIENCE:
            raise DeploymentError(
                f"CloudFormation did not {self._task} within {_PATIENCE / 3600:.0f} hours. It goes on by itself: see "
                "the events of the stack, and deploy again when it is done."
            )
        self._sleep(self._seconds)
        self._waited += self._seconds
        self._seconds = min(self._seconds * 1.3, _LONGEST)


def _read_event(event: dict[str, Any]) -> Event:
    return Event(event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason", ""))


def _failed(plan: Plan, status: str, failure: Failure) -> DeploymentError:
    deployment = plan.deployment
    if plan.serves_now is None:
        left = "What was made of the stack is removed again."
    elif status == "UPDATE_ROLLBACK_COMPLETE":
        left = f"The update is rolled back: {deployment.endpoint_name} serves {plan.serves_now} as before."
    else:
        left = f"The stack {deployment.stack_name} is {status}: see its events."
    return DeploymentError(
        f"{plan.serves_then} could not be deployed to {deployment.endpoint_name}: {failure.reason} {left}",
        failure.evidence,
    )
