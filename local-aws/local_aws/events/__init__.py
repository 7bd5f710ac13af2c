"""EventBridge: what happens in this cloud, matched against the account's rules and delivered to their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_aws.events import delivery, event, rules
from local_aws.events.delivery import Delivery

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


def emit(cloud: Cloud, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Tell the rules of the default event bus of something that happened, in the background; never raises.

    `source` is the service ("aws.codebuild"), `detail_type` and `detail` are as the service documents its events.
    """
    delivery.soon(cloud, event.of_now(cloud, source, detail_type, detail, resources).message)


def deliver(
    cloud: Cloud, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]
) -> list[Delivery]:
    """The same at once, and what became of it at each target."""
    message = event.of_now(cloud, source, detail_type, detail, resources).message
    return delivery.now(cloud, message, rules.targets(cloud, message))
