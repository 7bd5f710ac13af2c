"""The plan of a deployment: what CloudFormation would add, change, replace and remove, and what becomes of the stack.
Pure: a stack's state and a change set's description go in, a plan that can be printed comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlflow_server.errors import ServerError

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
# The shell of a creation that failed or was never agreed to: it holds nothing, and nothing can be made of it.
_SHELLS = frozenset({"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"})
# A key opens data, and so do the secrets of encryption: without them it is there and cannot be read.
_HOLDS_DATA = frozenset({"AWS::RDS::DBCluster", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret"})
_HALVES = frozenset({"CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"})


class Action(StrEnum):
    """What is done about the stack."""

    CREATE = "create"
    CREATE_ANEW = "create anew"
    UPDATE = "update"


class Kind(StrEnum):
    """What happens to a resource, in the order in which it is shown."""

    ADDED = "added"
    CHANGED = "changed"
    MAYBE_REPLACED = "changed, perhaps replaced"
    REPLACED = "replaced"
    REMOVED = "removed"


@dataclass(frozen=True)
class Change:
    """What happens to one resource, and because of which of its properties."""

    kind: Kind
    resource: str
    type: str
    properties: tuple[str, ...] = ()

    @property
    def loses_data(self) -> bool:
        """Whether runs or artifacts would, or might, not be where they were, or could not be read."""
        return self.type in _HOLDS_DATA and self.kind in (Kind.MAYBE_REPLACED, Kind.REPLACED, Kind.REMOVED)


@dataclass(frozen=True)
class ParameterChange:
    """One parameter, now and then."""

    name: str
    now: str
    then: str


@dataclass(frozen=True)
class Plan:
    """What is to be done; no changes at all means nothing."""

    action: Action
    changes: tuple[Change, ...]
    parameters: tuple[ParameterChange, ...] = ()

    def refuse_losses(self, named: Collection[str]) -> None:
        """Let data go only of the resources that were named for it.

        Raises:
            ServerError: the plan takes away, or may take away, what holds or opens data and was not named.
        """
        lost = [each for each in self.changes if each.loses_data and each.resource not in named]
        if not lost:
            return
        whats = ", ".join(f"{each.resource} ({each.kind})" for each in lost)
        options = " ".join(f"--replace {each.resource}" for each in lost)
        raise ServerError(
            f"This would take data away: {whats}. What comes in its place is empty, so deploy a second server beside "
            f"it by --stack and --server-name, and move the data; or give {options}, if it is to go. "
            "Nothing was changed."
        )


def action_for(status: str | None, stack_name: str) -> Action:
    """What can be done about a stack in this state, None where there is none.

    Raises:
        ServerError: it is in the middle of something, or stuck so that only a person can help it.
    """
    if status is None:
        return Action.CREATE
    if status in _SHELLS:
        return Action.CREATE_ANEW
    if status in _UPDATABLE:
        return Action.UPDATE
    if status in _HALVES:
        raise ServerError(
            f"The stack {stack_name} is {status}: it stopped half way. Remove it by `mlflow-server destroy`, then "
            "deploy again."
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise ServerError(
            f"The stack {stack_name} is UPDATE_ROLLBACK_FAILED: an update failed and could not be undone. See its "
            f"events, then run aws cloudformation continue-update-rollback --stack-name {stack_name}, and deploy again."
        )
    raise ServerError(
        f"The stack {stack_name} is {status}: something else changes it. Wait for its end, then try again."
    )


def read_changes(descriptions: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """The changes of a change set, from the pages of its description, sorted as they are shown."""
    changes = [
        _change(each["ResourceChange"])
        for page in descriptions
        for each in page.get("Changes", [])
        if "ResourceChange" in each
    ]
    order = list(Kind)
    return tuple(sorted(changes, key=lambda it: (order.index(it.kind), it.type, it.resource)))


def compare(now: Mapping[str, str], then: Mapping[str, str]) -> tuple[ParameterChange, ...]:
    """The parameters that differ; one that the stack does not have yet is empty now."""
    return tuple(
        ParameterChange(name, now.get(name, ""), value) for name, value in then.items() if now.get(name, "") != value
    )


def _change(raw: Mapping[str, Any]) -> Change:
    targets = [detail.get("Target", {}) for detail in raw.get("Details", [])]
    properties = {target.get("Name") or target.get("Attribute", "") for target in targets} - {""}
    return Change(_kind(raw), raw["LogicalResourceId"], raw["ResourceType"], tuple(sorted(properties)))


def _kind(raw: Mapping[str, Any]) -> Kind:
    if raw["Action"] == "Add":
        return Kind.ADDED
    if raw["Action"] == "Remove":
        return Kind.REMOVED
    return {"True": Kind.REPLACED, "Conditional": Kind.MAYBE_REPLACED}.get(raw.get("Replacement", ""), Kind.CHANGED)
