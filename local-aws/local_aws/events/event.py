"""An event as EventBridge passes it on: what happened where, with the detail that its source documents."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local_aws.store import now

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


@dataclass(frozen=True)
class Event:
    """One event; `resources` are ARNs, `at` is in UTC.

    https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """

    id: str
    source: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: tuple[str, ...]
    at: datetime
    account: str
    region: str

    @property
    def message(self) -> dict[str, Any]:
        """The event in JSON's types, as rules match it and targets get it."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": list(self.resources),
            "detail": dict(self.detail),
        }


def of_now(cloud: Cloud, source: str, detail_type: str, detail: Mapping[str, Any], resources: list[str]) -> Event:
    """Something that a service of this cloud has just seen happen."""
    return Event(
        str(uuid.uuid4()),
        source,
        detail_type,
        detail,
        tuple(resources),
        now(),
        cloud.settings.account,
        cloud.settings.region,
    )
