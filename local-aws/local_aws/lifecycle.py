"""What has to happen when a cloud comes up again on the state that an earlier one left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

STARTUP: list[Callable[[Cloud], None]] = []


def on_start(function: Callable[[Cloud], None]) -> Callable[[Cloud], None]:
    """Have `function` called once the server listens, with the cloud as it was left."""
    STARTUP.append(function)
    return function
