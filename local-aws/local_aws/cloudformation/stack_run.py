"""The operations upon a stack as they run, each in a thread of its own, through the states AWS names.

create ─▶ CREATE_COMPLETE            or ROLLBACK_COMPLETE, CREATE_FAILED, DELETE_COMPLETE by OnFailure
update ─▶ UPDATE_COMPLETE            or UPDATE_ROLLBACK_COMPLETE, UPDATE_FAILED by DisableRollback
delete ─▶ DELETE_COMPLETE            or DELETE_FAILED
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import exports
from local_aws.cloudformation.blueprint import Blueprint
from local_aws.cloudformation.executor import Executor
from local_aws.cloudformation.provisioner import OperationFailed, Provisioner
from local_aws.cloudformation.refusals import Interrupted, Stopping
from local_aws.cloudformation.stack_record import StackRecord
from local_aws.errors import AwsError
from local_aws.principal import Principal, acting_as
from local_aws.store import now

_LOG = logging.getLogger(__name__)
# boto3's waiters look again after 30 s: an answer that comes when a quick stack is done saves them that wait.
_ANSWER_SECONDS = 2.0
_FAILED_STATE = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
}


class StackRun:
    """One operation upon one stack, already in its `..._IN_PROGRESS` state; `principal` is who touches resources."""

    def __init__(
        self,
        cloud: Cloud,
        stack_id: str,
        principal: Principal,
        token: str | None = None,
        minutes: int | None = None,
    ) -> None:
        self._cloud = cloud
        self._principal = principal
        self._record = StackRecord(cloud, stack_id, token)
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self._provisioner = Provisioner(cloud, self._record, deadline)
        self._executor = Executor(self._record, self._provisioner)

    def start(self, operation: Callable[..., None], *arguments: Any, patience: float = _ANSWER_SECONDS) -> None:
        """Have a method of this run work in the background; a fault of our own ends in a failed state too.

        Returns when it is done, or after `patience` seconds.
        """

        def work() -> None:
            try:
                with acting_as(self._principal):
                    operation(*arguments)
            except Stopping:
                _LOG.info("stack %s is left %s: the server stops", self._record.stack_name, self._record.status)
            except Exception as error:
                _LOG.exception("stack %s", self._record.stack_name)
                close(self._record, f"Internal failure of local-aws: {type(error).__name__}: {error}")

        thread = threading.Thread(target=work, name=f"stack {self._record.stack_name}", daemon=True)
        thread.start()
        thread.join(patience)

    def create(self, blueprint: Blueprint, on_failure: str) -> None:
        """Make the stack; `on_failure` is ROLLBACK, DELETE or DO_NOTHING."""
        try:
            self._executor.apply(blueprint, "create")
            outputs = self._outputs(blueprint)
        except (Interrupted, OperationFailed, AwsError) as failed:
            self._creation_failed(str(failed).strip(), on_failure)
            return
        self._record.settle()
        if self._turn("CREATE_COMPLETE", Outputs=outputs):
            return
        self.delete()

    def _creation_failed(self, reason: str, on_failure: str) -> None:
        status, asked = {
            "DO_NOTHING": ("CREATE_FAILED", ""),
            "DELETE": ("DELETE_IN_PROGRESS", " Delete requested by user."),
            "ROLLBACK": ("ROLLBACK_IN_PROGRESS", " Rollback requested by user."),
        }[on_failure]
        if not self._turn(status, reason + asked) or on_failure == "DELETE":
            self.delete()
        elif on_failure == "ROLLBACK":
            self.roll_back_creation()

    def _turn(self, status: str, reason: str | None = None, **changes: Any) -> bool:
        """Leave CREATE_IN_PROGRESS for another state, unless the stack's deletion was asked for meanwhile."""
        with self._cloud.store.transaction():
            if self._record.status != "CREATE_IN_PROGRESS":
                return False
            self._record.set_status(status, reason, **changes)
            return True

    def roll_back_creation(self) -> None:
        """Unmake what was made before a creation failed."""
        self._provisioner.interruptible = False
        failed = self._executor.tear_down(rolling_back=True)
        failed += self._executor.sweep(rolling_back=True)
        if failed:
            self._record.set_status("ROLLBACK_FAILED", str(OperationFailed("delete", failed)).strip())
        else:
            self._record.settle()
            self._record.set_status("ROLLBACK_COMPLETE")

    def update(self, blueprint: Blueprint, disable_rollback: bool) -> None:
        """Bring the stack to a new blueprint; back to its last good state where that fails."""
        try:
            self._executor.apply(blueprint, "update")
            outputs = self._outputs(blueprint)
        except (OperationFailed, AwsError, Interrupted) as failed:
            if disable_rollback:
                self._record.set_status("UPDATE_FAILED", str(failed).strip())
                return
            self._record.set_status("UPDATE_ROLLBACK_IN_PROGRESS", str(failed).strip())
            self.roll_back_update()
        else:
            self._record.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Outputs=outputs)
            self.clean_up("UPDATE_COMPLETE")

    def clean_up(self, final: str) -> None:
        """Unmake what the finished update or rollback has left over; what will not go is told in the events."""
        self._provisioner.interruptible = False
        self._executor.sweep(rolling_back=final == "UPDATE_ROLLBACK_COMPLETE")
        self._record.settle()
        self._record.set_status(final, LastUpdatedTime=now())

    def roll_back_update(self, skipped: Sequence[str] = ()) -> None:
        """Return to the last good state."""
        self._provisioner.interruptible = False
        try:
            self._executor.restore(skipped)
        except OperationFailed as failed:
            self._record.set_status("UPDATE_ROLLBACK_FAILED", str(failed).strip())
            return
        self._record.return_to_good()
        self._record.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self.clean_up("UPDATE_ROLLBACK_COMPLETE")

    def delete(self, retained: Sequence[str] = ()) -> None:
        """Unmake the stack."""
        self._provisioner.interruptible = False
        failed = self._executor.tear_down(retained)
        failed += self._executor.sweep(rolling_back=False)
        if failed:
            self._record.set_status("DELETE_FAILED", str(OperationFailed("delete", failed)).strip())
        else:
            self._record.settle()
            self._record.forget_change_sets()
            self._record.set_status("DELETE_COMPLETE", DeletionTime=now())

    def _outputs(self, blueprint: Blueprint) -> list[dict[str, Any]]:
        outputs = self._executor.outputs(blueprint)
        exports.check(self._cloud, self._record.stack_id, outputs)
        return outputs


def close(record: StackRecord, reason: str) -> None:
    """Bring a stack whose operation has come to an untimely end, and its resources, from in progress to failed."""
    for resource in record.resources.values():
        if resource.status.endswith("_IN_PROGRESS"):
            record.close_resource(resource, reason)
    if record.status in _FAILED_STATE:
        record.set_status(_FAILED_STATE[record.status], reason)
