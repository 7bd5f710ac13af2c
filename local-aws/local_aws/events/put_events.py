"""Events of the account's own programs: PutEvents is moto's, what it matches is delivered as all other events are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.events.models import Rule as MotoRule

from local_aws.events import delivery
from local_aws.lifecycle import on_start

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


def _hold(rule: MotoRule, original_event: Any, transform_input: bool = True) -> None:
    """Deliver nothing while the journal is replayed: what the events led to is state of its own."""


MotoRule.send_to_targets = _hold  # type: ignore[method-assign, assignment]


@on_start
def deliver_from_now_on(cloud: Cloud) -> None:
    """Have what moto's buses take delivered in the background: moto holds its journal's lock while it is asked."""

    def send(rule: MotoRule, original_event: Any, transform_input: bool = True) -> None:
        at = original_event.get("time")
        message = {
            **{name: value for name, value in original_event.items() if name != "ingestion-time"},
            "time": at
            if isinstance(at, str)
            else datetime.fromtimestamp(float(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        delivery.soon_by(cloud, message, rule)

    MotoRule.send_to_targets = send  # type: ignore[method-assign, assignment]
