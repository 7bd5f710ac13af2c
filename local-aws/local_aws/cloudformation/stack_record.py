"""A stack in the store: its state, its resources, and the events that tell how it came to be.

stack                       <stack id>   what DescribeStacks shows, and under keys that begin with _:
                                         _template, _texts, _values, _tags, _resources, _last_good, _strays, ...
stack_event <stack id>      <event id>   one row an event
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import stack_notifications
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.resource import Resource
from local_aws.store import Body, now

KIND = "stack"
CHANGE_SET_KIND = "change_set"
STACK_TYPE = "AWS::CloudFormation::Stack"
GONE = "DELETE_COMPLETE"

# What a rollback brings back, beside the resources themselves.
_GOOD_KEYS = (
    "Description",
    "Parameters",
    "Tags",
    "Capabilities",
    "Outputs",
    "_template",
    "_texts",
    "_values",
    "_resources",
)


def events_kind(stack_id: str) -> str:
    return f"stack_event {stack_id}"


def find(cloud: Cloud, name_or_id: str) -> Body | None:
    """The stack of this id, or the one of this name that is not deleted."""
    if name_or_id.startswith("arn:"):
        return cloud.store.find(KIND, name_or_id)
    named = cloud.store.all(KIND, {"StackName": name_or_id})
    return next((body for body in named if body["StackStatus"] != GONE), None)


def get(cloud: Cloud, name_or_id: str) -> Body:
    """As `find`; raises `AwsError` (ValidationError) in the words that `aws cloudformation deploy` looks for."""
    body = find(cloud, name_or_id)
    if body is None:
        raise refused(f"Stack with id {name_or_id} does not exist")
    return body


class StackRecord:
    """The one stack an operation works upon; every change is stored, and those that AWS would show become events."""

    def __init__(self, cloud: Cloud, stack_id: str, token: str | None = None) -> None:
        self._cloud = cloud
        self._token = token
        self.stack_id = stack_id
        self.stack_name = self.body["StackName"]

    @property
    def body(self) -> Body:
        return self._cloud.store.get(KIND, self.stack_id)

    @property
    def status(self) -> str:
        return str(self.body["StackStatus"])

    @property
    def resources(self) -> dict[str, Resource]:
        """The resources the stack has now, in the order they were made."""
        return resources_of(self.body)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Store changes of the stack itself, without an event."""
        self._cloud.store.update(KIND, self.stack_id, dict(changes))

    def set_status(self, status: str, reason: str | None = None, **changes: Any) -> None:
        """Bring the stack into a state, with its event."""

        def rewrite(body: Body) -> Body:
            rest = {key: value for key, value in body.items() if key != "StackStatusReason"}
            return {**rest, "StackStatus": status, **({"StackStatusReason": reason} if reason else {}), **changes}

        self._cloud.store.update(KIND, self.stack_id, rewrite)
        self._event(self.stack_name, self.stack_id, STACK_TYPE, status, reason)

    def remark(self, reason: str) -> None:
        """An event of the stack that leaves its state as it is."""
        self._event(self.stack_name, self.stack_id, STACK_TYPE, self.status, reason)

    def set_resource(self, resource: Resource) -> None:
        """Store a resource under its logical id, with the event of its state."""
        self.keep_resource(resource)
        self.tell(resource, resource.status, resource.reason)

    def keep_resource(self, resource: Resource) -> None:
        """Store a resource under its logical id; nothing has happened to it, so there is no event."""

        def rewrite(body: Body) -> Body:
            return {**body, "_resources": {**body["_resources"], resource.logical_id: resource.row()}}

        self._cloud.store.update(KIND, self.stack_id, rewrite)

    def close_resource(self, resource: Resource, reason: str) -> None:
        """A resource that was being worked upon when the work ended."""
        status = resource.status.replace("_IN_PROGRESS", "_FAILED")
        self.set_resource(replace(resource, status=status, reason=reason, changed=now()))

    def drop_resource(self, logical_id: str) -> None:
        """Forget a resource that is gone or no longer the stack's."""

        def rewrite(body: Body) -> Body:
            return {**body, "_resources": {key: row for key, row in body["_resources"].items() if key != logical_id}}

        self._cloud.store.update(KIND, self.stack_id, rewrite)

    def order_resources(self, order: list[str]) -> None:
        """Keep the resources in the order in which they depend on one another."""

        def rewrite(body: Body) -> Body:
            rows = body["_resources"]
            names = [*(name for name in order if name in rows), *(name for name in rows if name not in order)]
            return {**body, "_resources": {name: rows[name] for name in names}}

        self._cloud.store.update(KIND, self.stack_id, rewrite)

    def tell(self, resource: Resource, status: str, reason: str | None) -> None:
        """An event about a resource that changes nothing in the stack."""
        self._event(resource.logical_id, resource.physical_id, resource.type_name, status, reason)

    def _event(self, logical_id: str, physical_id: str | None, type_name: str, status: str, reason: str | None) -> None:
        event_id = str(uuid.uuid4()) if type_name == STACK_TYPE else f"{logical_id}-{status}-{uuid.uuid4()}"
        event = {
            "StackId": self.stack_id,
            "EventId": event_id,
            "StackName": self.stack_name,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id or "",
            "ResourceType": type_name,
            "Timestamp": now(),
            "ResourceStatus": status,
            **({"ResourceStatusReason": reason} if reason else {}),
            **({"ClientRequestToken": self._token} if self._token else {}),
        }
        self._cloud.store.create(events_kind(self.stack_id), event_id, event)
        stack_notifications.publish(self._cloud, self.body.get("NotificationARNs", []), event)

    def remember_good(self) -> None:
        """Keep what the stack is now as the state a rollback returns to, unless one is kept already."""

        def rewrite(body: Body) -> Body:
            if body.get("_last_good") is not None:
                return body
            good = {key: body[key] for key in _GOOD_KEYS if key in body}
            return {**body, "_last_good": good, "_strays": []}

        self._cloud.store.update(KIND, self.stack_id, rewrite)

    def return_to_good(self) -> None:
        """Show again what the last good state showed; the resources are the executor's to restore."""

        def rewrite(body: Body) -> Body:
            good = {key: value for key, value in body["_last_good"].items() if key != "_resources"}
            return {**{key: value for key, value in body.items() if key not in _GOOD_KEYS[:-1]}, **good}

        self._cloud.store.update(KIND, self.stack_id, rewrite)

    def forget_change_sets(self) -> None:
        """Change sets go with their stack."""
        for change_set in self._cloud.store.all(CHANGE_SET_KIND, {"StackId": self.stack_id}, ["ChangeSetId"]):
            self._cloud.store.delete(CHANGE_SET_KIND, change_set["ChangeSetId"])

    @property
    def last_good(self) -> dict[str, Resource]:
        """The resources of the state a rollback returns to."""
        good = self.body.get("_last_good")
        return resources_of(good) if good else {}

    def add_stray(self, resource: Resource) -> None:
        """Remember a thing that exists and is no longer the stack's, to be cleaned up when the operation ends."""

        def rewrite(body: Body) -> Body:
            return {**body, "_strays": [*body.get("_strays", []), resource.row()]}

        self._cloud.store.update(KIND, self.stack_id, rewrite)

    @property
    def superseded(self) -> list[Resource]:
        """What exists of this stack's making and is not part of it any more, in the order it was made."""
        body = self.body
        present = {resource.identity for resource in resources_of(body).values()}
        candidates = [*self.last_good.values(), *(Resource.of(row) for row in body.get("_strays", []))]
        found = {each.identity: each for each in candidates if each.physical_id and each.identity not in present}
        return list(found.values())

    def settle(self) -> None:
        """The stack is in a good state: nothing is left to return to or to clean up."""

        def rewrite(body: Body) -> Body:
            rows = {name: {**row, "fresh": False} for name, row in body["_resources"].items()}
            kept = {key: value for key, value in body.items() if key not in ("_last_good", "_strays", "_interrupt")}
            return {**kept, "_resources": rows}

        self._cloud.store.update(KIND, self.stack_id, rewrite)


def resources_of(body: Mapping[str, Any]) -> dict[str, Resource]:
    """The resources in a stack's row."""
    return {name: Resource.of(row) for name, row in body["_resources"].items()}
