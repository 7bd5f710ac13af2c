"""A whole stack: from what it is to what its blueprint says, back to the last good state, or down to nothing.

apply   ─▶ resources made, changed and replaced in order; what they replace stays until all is well
restore ─▶ the same way back, to the resources of the last good state
sweep   ─▶ what is not part of the stack any more is unmade, dependants first
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from local_aws.cloudformation import planner
from local_aws.cloudformation.blueprint import Blueprint, Lookup
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.planner import Action
from local_aws.cloudformation.provisioner import OperationFailed, Provisioner
from local_aws.cloudformation.resource import Resource
from local_aws.cloudformation.resource_type import find_type
from local_aws.cloudformation.stack_record import StackRecord
from local_aws.errors import AwsError
from local_aws.store import now

_NAME_IN_THE_WAY = (
    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {} and update the "
    "stack again."
)
_UNTOUCHED = "The change that was denied had not been made: the resource is as it was."
_GONE = ("DELETE_COMPLETE", "DELETE_SKIPPED")


class Executor:
    """Carries out what the planner decides, upon one stack."""

    def __init__(self, record: StackRecord, provisioner: Provisioner) -> None:
        self._record = record
        self._provisioner = provisioner

    def apply(self, blueprint: Blueprint, verb: str) -> None:
        """Make every resource of the blueprint what it says; raises `OperationFailed` at the first that cannot be.

        `verb` (`create` or `update`) is what the stack is doing.
        """
        self._refuse_what_cannot_be(blueprint, verb)
        for logical_id in blueprint.order:
            self._provisioner.checkpoint()
            self._apply(blueprint, logical_id)
        for logical_id in self._record.resources:
            if logical_id not in blueprint.order:
                gone = self._record.resources[logical_id]
                self._record.add_stray(gone)
                self._record.drop_resource(logical_id)
        self._record.order_resources(list(blueprint.order))

    def outputs(self, blueprint: Blueprint) -> list[dict[str, Any]]:
        """The outputs, now that every resource is there."""
        return blueprint.outputs(self._lookup())

    def _refuse_what_cannot_be(self, blueprint: Blueprint, verb: str) -> None:
        """Nothing is touched while a resource is of an unknown type or has properties its type does not take."""
        refused = []
        for logical_id in blueprint.order:
            declared = blueprint.declared(logical_id)
            kind = find_type(declared.type_name)
            if kind is None:
                reason = f"Resource type {declared.type_name} is not known to local-aws."
            else:
                reason = kind.problem(declared.properties) or ""
            if reason:
                current = self._record.resources.get(logical_id)
                status = f"{'UPDATE' if current else 'CREATE'}_FAILED"
                shown = current or Resource(logical_id, declared.type_name, status, now())
                if current:
                    self._record.tell(shown, status, reason)
                else:
                    self._record.set_resource(replace(shown, reason=reason))
                refused.append(logical_id)
        if refused:
            raise OperationFailed(verb, refused)

    def _apply(self, blueprint: Blueprint, logical_id: str) -> None:
        declared = blueprint.declared(logical_id)
        current = self._record.resources.get(logical_id)
        fresh = Resource(
            logical_id,
            declared.type_name,
            "CREATE_IN_PROGRESS",
            now(),
            needs=blueprint.needs(logical_id),
            deletion_policy=declared.deletion_policy,
            update_replace_policy=declared.update_replace_policy,
            metadata=declared.metadata,
        )
        try:
            fresh = replace(fresh, properties=blueprint.properties(logical_id, self._lookup()))
        except AwsError as error:
            self._fail(current or fresh, "UPDATE" if current else "CREATE", error.message)
        # What was there in the template may have come to AWS::NoValue.
        kind = find_type(declared.type_name)
        problem = kind.wrong(fresh.properties) if kind is not None else None
        if problem:
            self._fail(current or fresh, "UPDATE" if current else "CREATE", problem)
        change = planner.decide(logical_id, declared.type_name, fresh.properties, current)
        if change.action is Action.ADD:
            if current is not None and current.physical_id is not None:
                self._record.add_stray(current)
            self._provisioner.create(fresh)
        elif current is not None and change.action is Action.REPLACE:
            self._refuse_same_name(current, fresh)
            self._record.add_stray(replace(current, update_replace_policy=fresh.update_replace_policy))
            self._provisioner.create(fresh, replacing=True)
        elif current is not None and change.action is Action.MODIFY:
            wanted = replace(fresh, physical_id=current.physical_id, attributes=current.attributes, fresh=current.fresh)
            self._provisioner.modify(wanted, change, current.properties)
        elif current is not None:
            # Policies, metadata and order come along without an event: nothing happens to the resource.
            self._record.keep_resource(
                replace(
                    current,
                    needs=fresh.needs,
                    metadata=fresh.metadata,
                    deletion_policy=fresh.deletion_policy,
                    update_replace_policy=fresh.update_replace_policy,
                )
            )
        for attribute in declared.recorded_attributes if change.action is not Action.KEEP else ():
            done = self._record.resources[logical_id]
            self._record.tell(done, done.status, f"attribute {attribute} is recorded, not carried out, by local-aws")

    def _refuse_same_name(self, current: Resource, fresh: Resource) -> None:
        kind = find_type(fresh.type_name)
        name_property = kind.name_property if kind is not None and current.type_name == fresh.type_name else None
        name = fresh.properties.get(name_property) if name_property else None
        if name is not None and canonical(name) == canonical(current.properties.get(str(name_property))):
            self._fail(current, "UPDATE", _NAME_IN_THE_WAY.format(name))

    def _fail(self, resource: Resource, verb: str, reason: str) -> None:
        self._record.set_resource(replace(resource, status=f"{verb}_FAILED", reason=reason, changed=now()))
        raise OperationFailed(verb.lower(), [resource.logical_id])

    def _lookup(self) -> Lookup:
        resources = self._record.resources
        return Lookup(
            lambda logical_id: resources[logical_id].physical_id,
            lambda logical_id, name: resources[logical_id].attributes[name],
        )

    def restore(self, skipped: Sequence[str] = ()) -> None:
        """Bring back the resources of the last good state; raises `OperationFailed` at the first that will not come.

        The logical ids in `skipped` are taken to be as they were, whatever they are.
        """
        good = self._record.last_good
        for logical_id, before in good.items():
            self._provisioner.checkpoint()
            current = self._record.resources.get(logical_id)
            if current is None or current.identity != before.identity:
                if current is not None and current.physical_id is not None:
                    self._record.add_stray(current)
                self._record.set_resource(replace(before, status="UPDATE_COMPLETE", reason=None, changed=now()))
            elif logical_id in skipped:
                self._record.set_resource(replace(before, status="UPDATE_COMPLETE", reason=None, changed=now()))
            else:
                self._restore_in_place(before, current)
        for logical_id, resource in self._record.resources.items():
            if logical_id not in good:
                if resource.physical_id is not None:
                    self._record.add_stray(resource)
                self._record.drop_resource(logical_id)
        self._record.order_resources(list(good))

    def _restore_in_place(self, before: Resource, current: Resource) -> None:
        change = planner.decide(before.logical_id, before.type_name, before.properties, current)
        if change.action is Action.KEEP:
            self._record.keep_resource(before)
            return
        try:
            self._provisioner.modify(before, change, current.properties)
        except OperationFailed as failed:
            # What the role may not do on the way back it could not do on the way there: nothing needs undoing.
            again = self._record.resources[before.logical_id]
            if not (failed.denied and current.status == "UPDATE_FAILED" and again.reason == current.reason):
                raise
            self._record.set_resource(replace(before, status="UPDATE_COMPLETE", reason=_UNTOUCHED, changed=now()))

    def sweep(self, rolling_back: bool) -> list[str]:
        """Unmake what is no longer part of the stack; answers the logical ids of what would not go."""
        present = self._record.resources
        failed = []
        for resource in dependants_first(self._record.superseded):
            replaced = resource.logical_id in present
            policy = resource.update_replace_policy if replaced else resource.deletion_policy
            # What an operation made in place of another thing goes when the operation is taken back.
            unprotected = policy in ("Delete", "Snapshot") or (
                rolling_back and (policy != "Retain" or (replaced and resource.fresh))
            )
            if not unprotected:
                self._provisioner.skip(resource, present=False)
            elif not self._provisioner.delete(resource, present=False, snapshot=policy == "Snapshot"):
                failed.append(resource.logical_id)
        return failed

    def tear_down(self, retained: Sequence[str] = (), rolling_back: bool = False) -> list[str]:
        """Unmake all of the stack, dependants first; answers the logical ids of what would not go.

        What another resource that would not go depends on is left. Retained resources are no longer the stack's.
        """
        failed: list[str] = []
        left: list[Resource] = []
        for resource in dependants_first(self._record.resources.values()):
            self._provisioner.checkpoint()
            if resource.status in _GONE:
                continue
            if any(resource.logical_id in each.needs for each in left):
                left.append(resource)
                continue
            policy = resource.deletion_policy
            kept = policy == "Retain" or (policy == "RetainExceptOnCreate" and not rolling_back)
            if resource.physical_id is None:
                self._record.set_resource(replace(resource, status="DELETE_COMPLETE", reason=None, changed=now()))
            elif kept or resource.logical_id in retained:
                self._provisioner.skip(resource, present=True)
            elif not self._provisioner.delete(resource, present=True, snapshot=policy == "Snapshot"):
                failed.append(resource.logical_id)
                left.append(resource)
        return failed


def dependants_first(resources: Iterable[Resource]) -> list[Resource]:
    """The resources in an order in which each goes before all that it needs."""
    left = list(resources)
    ordered = []
    while left:
        free = [each for each in left if not any(each.logical_id in other.needs for other in left if other is not each)]
        chosen = (free or left)[-1]
        left.remove(chosen)
        ordered.append(chosen)
    return ordered
