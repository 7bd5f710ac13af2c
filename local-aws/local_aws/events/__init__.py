"""EventBridge: what happens in this cloud, matched against the account's rules and delivered to their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


def emit(cloud: Cloud, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Tell the rules of the default event bus of something that happened, in the background; never raises.

    `source` is the service ("aws.codebuild"), `detail_type` and `detail` are as the service documents its events.
    """
