"""Connections to the hosts of git repositories: those that are PENDING wait for a person to finish them."""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.cloud import Cloud
from local_aws.pages.statuses import Status

_KIND = "connection"


@dataclass(frozen=True)
class Connection:
    """A connection; `finish` is where the form that makes it available is sent."""

    name: str
    arn: str
    provider: str
    status: Status
    finish: str


def connections(cloud: Cloud) -> list[Connection]:
    """All connections, those that wait for a person first."""
    found = [
        Connection(
            body["ConnectionName"],
            body["ConnectionArn"],
            body.get("ProviderType", ""),
            Status.of(body["ConnectionStatus"]),
            f"/_local/connections/{body['ConnectionArn'].rpartition('/')[2]}/finish"
            if body["ConnectionStatus"] == "PENDING"
            else "",
        )
        for body in cloud.store.all(_KIND)
    ]
    return sorted(found, key=lambda each: each.finish == "")
