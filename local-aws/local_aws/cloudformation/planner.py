"""What an update will do, decided before anything is done: a plan can be printed, tested and shown as a change set.

A replacement carries through: whatever refers to a resource that gets a new physical id is planned with a value that
is not known yet, and so changes too. The executor decides each resource again, by the same rule, once values are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from local_aws.cloudformation.blueprint import Blueprint, Lookup
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.intrinsics import PENDING
from local_aws.cloudformation.resource import Resource
from local_aws.cloudformation.resource_type import find_type

OutputRow = tuple[str, str, str]


class Action(StrEnum):
    """What happens to one resource."""

    ADD = "Add"
    KEEP = "Keep"
    MODIFY = "Modify"
    REPLACE = "Replace"
    REMOVE = "Remove"


@dataclass(frozen=True)
class PropertyChange:
    """A property that is not what it was; `replaces` where the type cannot change it in place."""

    name: str
    before: Any
    after: Any
    replaces: bool


@dataclass(frozen=True)
class Change:
    """What happens to one resource, and which of its properties make it happen."""

    logical_id: str
    type_name: str
    action: Action
    physical_id: str | None
    properties: tuple[PropertyChange, ...]

    def __str__(self) -> str:
        causes = ", ".join(cause.name for cause in self.properties)
        return f"{self.action.value.lower():8}{self.logical_id} ({self.type_name})" + (f": {causes}" if causes else "")


@dataclass(frozen=True)
class Plan:
    """All resources of a stack in the order they are handled; removals, which come last, in reverse order."""

    changes: tuple[Change, ...]
    outputs: tuple[OutputRow, ...]

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.action is not Action.KEEP)

    def action_of(self, logical_id: str) -> Action:
        return next(change.action for change in self.changes if change.logical_id == logical_id)

    def __str__(self) -> str:
        return "\n".join(str(change) for change in self.changes)


def plan(blueprint: Blueprint, current: Mapping[str, Resource]) -> Plan:
    """What it takes to get from the resources a stack has to what its blueprint says."""
    lookup = _planned(current, changes := {})
    for logical_id in blueprint.order:
        properties = blueprint.properties(logical_id, lookup)
        type_name = blueprint.declared(logical_id).type_name
        changes[logical_id] = decide(logical_id, type_name, properties, current.get(logical_id))
    removals = [
        Change(name, resource.type_name, Action.REMOVE, resource.physical_id, ())
        for name, resource in reversed(list(current.items()))
        if name not in changes
    ]
    return Plan((*changes.values(), *removals), output_rows(blueprint.outputs(lookup)))


def output_rows(outputs: Iterable[Mapping[str, Any]]) -> tuple[OutputRow, ...]:
    """Outputs as DescribeStacks shows them, in a form that can be compared: key, value, export name."""
    return tuple((row["OutputKey"], row["OutputValue"], row.get("ExportName", "")) for row in outputs)


def decide(logical_id: str, type_name: str, properties: Mapping[str, Any], current: Resource | None) -> Change:
    """What one resource needs to get its new properties, all of them resolved (or pending)."""
    if current is None or current.physical_id is None or current.status == "CREATE_FAILED":
        return Change(logical_id, type_name, Action.ADD, None, ())
    kind = find_type(type_name)
    replacing = kind.replacing if kind is not None else frozenset()
    before = current.properties
    causes = tuple(
        PropertyChange(name, before.get(name), properties.get(name), name in replacing)
        for name in sorted({*before, *properties})
        if canonical(before.get(name)) != canonical(properties.get(name))
    )
    if current.type_name != type_name or any(cause.replaces for cause in causes):
        action = Action.REPLACE
    elif causes or current.status.endswith("_FAILED"):
        action = Action.MODIFY
    else:
        action = Action.KEEP
    return Change(logical_id, type_name, action, current.physical_id, causes)


def _planned(current: Mapping[str, Resource], changes: Mapping[str, Change]) -> Lookup:
    def known(logical_id: str) -> Resource | None:
        return current[logical_id] if changes[logical_id].action in (Action.KEEP, Action.MODIFY) else None

    def reference(logical_id: str) -> Any:
        resource = known(logical_id)
        return resource.physical_id if resource else PENDING

    def attribute(logical_id: str, name: str) -> Any:
        resource = known(logical_id)
        return resource.attributes.get(name, PENDING) if resource else PENDING

    return Lookup(reference, attribute)
