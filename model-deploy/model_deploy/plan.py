"""The plan of a deployment: what the stack is now, what it should be, and what has to be done about it.
Pure: it looks at two values and makes a third, which can be printed and is then carried out by the executor."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from model_deploy.deployment import Deployment
from model_deploy.errors import DeploymentError

# What CloudFormation calls a stack that serves: the last update went through, or was undone.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_SERVING = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
# The remains of a creation that failed: nothing can be made of such a stack but an end.
_REMAINS = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"})


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation has it now."""

    name: str
    status: str
    parameters: Mapping[str, str]
    template: str


class Action(StrEnum):
    """What is done about a stack."""

    CREATE = "create"
    CREATE_ANEW = "create anew"
    UPDATE = "update"
    NOTHING = "nothing to change"


@dataclass(frozen=True)
class Change:
    """One parameter, now and then; `now` is None when there was no stack."""

    name: str
    now: str | None
    then: str


@dataclass(frozen=True)
class Plan:
    """What is to be done for one stage. `now` is the stack that serves it, None where none does."""

    deployment: Deployment
    action: Action
    changes: tuple[Change, ...]
    now: Stack | None = None
    template_changed: bool = False

    @property
    def serves_now(self) -> str | None:
        """The model version that the stage serves now."""
        return served_by(self.now.parameters) if self.now else None

    @property
    def serves_then(self) -> str:
        """The model version that it will serve."""
        return served_by(self.deployment.parameters)


def plan(now: Stack | None, then: Deployment, template: str, *, ahead: bool = False) -> Plan:
    """Compare a stack with what it should be.

    Planning ahead, the deployment comes later: a stack in the middle of something will have ended by then, and is taken
    as what it is on its way to.

    Raises:
        DeploymentError: the stack is in the middle of something, or stuck so that only a person can help it.
    """
    if now is None:
        return Plan(then, Action.CREATE, _changes({}, then))
    if now.status in _REMAINS:
        return Plan(then, Action.CREATE_ANEW, _changes({}, then))
    if now.status == "UPDATE_ROLLBACK_FAILED":
        raise DeploymentError(
            f"The stack {now.name} is UPDATE_ROLLBACK_FAILED: an update failed and could not be undone. See its "
            f"events, then run aws cloudformation continue-update-rollback --stack-name {now.name}, and deploy again."
        )
    if now.status not in _SERVING and not (ahead and now.status.endswith("_IN_PROGRESS")):
        raise DeploymentError(
            f"The stack {now.name} is {now.status}: another deployment of it is under way. Wait for its end, then "
            "deploy again."
        )
    changes, template_changed = _changes(now.parameters, then), now.template.strip() != template.strip()
    action = Action.UPDATE if changes or template_changed else Action.NOTHING
    return Plan(then, action, changes, now, template_changed)


def plan_back(now: Stack | None, stage: str, before: Stack) -> Plan:
    """The plan that takes a stage back to the stack it had before."""
    return plan(now, Deployment(stage, before.name, before.parameters), before.template)


def served_by(parameters: Mapping[str, str]) -> str:
    """The model version that a stack of these parameters serves."""
    return f"{parameters.get('ModelName', '?')} version {parameters.get('ModelVersion', '?')}"


def _changes(now: Mapping[str, str], then: Deployment) -> tuple[Change, ...]:
    return tuple(
        Change(name, now.get(name), value) for name, value in then.parameters.items() if now.get(name) != value
    )
