"""One resource at a time: made, changed, replaced or unmade by its type, with the events AWS writes as it happens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.cloud import Cloud
from local_aws.cloudformation import dynamic_references
from local_aws.cloudformation.planner import Change
from local_aws.cloudformation.refusals import Interrupted, ResourceFailed, Stopping
from local_aws.cloudformation.resource import Resource
from local_aws.cloudformation.resource_type import ResourceType, Wanted, find_type
from local_aws.cloudformation.stack_record import StackRecord
from local_aws.errors import AwsError
from local_aws.store import now

_LOG = logging.getLogger(__name__)
_CREATED = "Resource creation Initiated"
_REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


class OperationFailed(Exception):
    """Resources that could not be made, changed or unmade; their events say why.

    `denied` where it was for want of a permission, and nothing else.
    """

    def __init__(self, verb: str, logical_ids: list[str], denied: bool = False) -> None:
        super().__init__(f"The following resource(s) failed to {verb}: [{', '.join(logical_ids)}]. ")
        self.denied = denied


class Provisioner:
    """Works upon the resources of one stack. `deadline` (of `time.monotonic`) bounds what `checkpoint` lets pass."""

    def __init__(self, cloud: Cloud, record: StackRecord, deadline: float | None = None) -> None:
        self._cloud = cloud
        self._record = record
        self._deadline = deadline
        self.interruptible = True

    def checkpoint(self) -> None:
        """Called between resources and by whoever waits for one; raises `Stopping` or `Interrupted`."""
        if self._cloud.stopping.is_set():
            raise Stopping
        if not self.interruptible:
            return
        interrupt = self._record.body.get("_interrupt")
        if interrupt:
            raise Interrupted(interrupt["reason"])
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise Interrupted("Stack creation time exceeded the specified timeout.")

    def create(self, resource: Resource, replacing: bool = False) -> Resource:
        """Make it, wait until it is in service, and answer it with its physical id and attributes."""
        verb = "UPDATE" if replacing else "CREATE"
        kind = _type(resource)
        started = replace(resource, status=f"{verb}_IN_PROGRESS", reason=None, changed=now(), fresh=True)
        if replacing:
            self._record.tell(started, started.status, _REPLACING)
        else:
            self._record.set_resource(started)
        wanted = self._wanted(started)
        resource = started

        def work() -> Resource:
            nonlocal resource
            physical_id = kind.create(self._readable(wanted))
            resource = made = replace(started, physical_id=physical_id, reason=_CREATED, changed=now())
            self._record.set_resource(made)
            self._tell_remarks(made, kind, made.properties)
            kind.settle(wanted, physical_id)
            return replace(made, attributes=kind.attributes(wanted, physical_id))

        return self._done(self._guarded(verb, lambda: resource, work), verb)

    def modify(self, resource: Resource, change: Change, before: Mapping[str, Any]) -> Resource:
        """Bring it in place from the properties `before` to the ones it has."""
        kind = _type(resource)
        started = replace(resource, status="UPDATE_IN_PROGRESS", reason=None, changed=now())
        self._record.set_resource(started)
        physical_id = str(resource.physical_id)
        wanted = self._wanted(started)

        def work() -> Resource:
            self._tell_remarks(started, kind, {cause.name: cause.after for cause in change.properties})
            kind.update(self._readable(wanted), physical_id, dynamic_references.read(before, self._cloud))
            kind.settle(wanted, physical_id)
            return replace(started, attributes=kind.attributes(wanted, physical_id))

        return self._done(self._guarded("UPDATE", lambda: started, work), "UPDATE")

    def delete(self, resource: Resource, present: bool, snapshot: bool = False) -> bool:
        """Unmake it; answers whether that succeeded.

        `present` says that the stack still lists it under its name, `snapshot` that what it holds is to be kept.
        """
        kind = find_type(resource.type_name)
        started = replace(resource, status="DELETE_IN_PROGRESS", reason=None, changed=now())
        self._show(started, present)
        try:
            if kind is not None and resource.physical_id is not None:
                wanted = self._wanted(started)
                if snapshot:
                    kind.delete_with_snapshot(wanted, resource.physical_id, wanted.snapshot_name())
                else:
                    kind.delete(wanted, resource.physical_id)
        except Stopping:
            raise
        except Exception as error:
            self._show(replace(started, status="DELETE_FAILED", reason=_reason(error), changed=now()), present)
            return False
        self._show(replace(started, status="DELETE_COMPLETE", changed=now()), present)
        return True

    def skip(self, resource: Resource, present: bool) -> None:
        """Leave a thing whose policy retains it."""
        self._show(replace(resource, status="DELETE_SKIPPED", reason=None, changed=now()), present)

    def _show(self, resource: Resource, present: bool) -> None:
        if present:
            self._record.set_resource(resource)
        else:
            self._record.tell(resource, resource.status, resource.reason)

    def _done(self, resource: Resource, verb: str) -> Resource:
        done = replace(resource, status=f"{verb}_COMPLETE", reason=None, changed=now())
        self._record.set_resource(done)
        return done

    def _guarded(self, verb: str, failed: Callable[[], Resource], work: Callable[[], Resource]) -> Resource:
        try:
            return work()
        except Stopping:
            raise
        except Interrupted:
            cancelled = f"Resource {'creation' if verb == 'CREATE' else 'update'} cancelled"
            self._record.set_resource(replace(failed(), status=f"{verb}_FAILED", reason=cancelled, changed=now()))
            raise
        except Exception as error:
            reason = _reason(error)
            self._record.set_resource(replace(failed(), status=f"{verb}_FAILED", reason=reason, changed=now()))
            raise OperationFailed(verb.lower(), [failed().logical_id], _denied(error)) from error

    def _wanted(self, resource: Resource) -> Wanted:
        return Wanted(self._cloud, self._record.stack_name, resource.logical_id, resource.properties, self.checkpoint)

    def _readable(self, wanted: Wanted) -> Wanted:
        return replace(wanted, properties=dynamic_references.read(wanted.properties, self._cloud))

    def _tell_remarks(self, resource: Resource, kind: ResourceType, properties: Mapping[str, Any]) -> None:
        for remark in kind.remarks(properties):
            self._record.tell(resource, resource.status, remark)


def _type(resource: Resource) -> ResourceType:
    kind = find_type(resource.type_name)
    if kind is None:
        raise ResourceFailed(f"Resource type {resource.type_name} is not known to local-aws.")
    return kind


def _denied(error: Exception) -> bool:
    code = error.response["Error"].get("Code", "") if isinstance(error, ClientError) else getattr(error, "code", "")
    return str(code).startswith("AccessDenied")


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        code, message = error.response["Error"].get("Code", "Unknown"), error.response["Error"].get("Message", "")
        return f'Resource handler returned message: "{message}" (Operation: {error.operation_name}, Error Code: {code})'
    if isinstance(error, BotoCoreError):
        return f"Properties validation failed: {error}"
    if isinstance(error, ResourceFailed | AwsError):
        return str(error)
    # A fault of our own, or a property of a form its type does not foresee: the stack still ends as it should.
    _LOG.error("a resource type failed", exc_info=error)
    return f"Internal failure of local-aws, see its log: {type(error).__name__}: {error}"
