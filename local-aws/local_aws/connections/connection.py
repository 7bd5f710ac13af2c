"""A connection to a host of git repositories: pending until a person finishes it, then available."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_aws.errors import AwsError

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

KIND = "connection"
# Both names of the service name the same connections: https://docs.aws.amazon.com/dtconsole/latest/userguide/rename.html
SERVICES = ("codeconnections", "codestar-connections")


def named(cloud: Cloud, arn: str) -> dict[str, Any]:
    """A connection by its ARN, under either name of the service; raises `AwsError` (ResourceNotFoundException)."""
    identifier = arn.rpartition("/")[2]
    for service in SERVICES:
        found = cloud.store.find(KIND, cloud.arn(f"connection/{identifier}", service))
        if found is not None and arn in {cloud.arn(f"connection/{identifier}", name) for name in SERVICES}:
            return found
    raise AwsError("ResourceNotFoundException", f"Connection {arn} not found")


def finish_url(cloud: Cloud, arn: str) -> str:
    """Where a PENDING connection is finished, which on AWS is a page of the console."""
    return f"{cloud.settings.endpoint_url}/_local/connections/{arn.rpartition('/')[2]}/finish"


def why_not_available(cloud: Cloud, connection: dict[str, Any]) -> str | None:
    """Why nothing can be read through a connection yet and what to do, or None where it is available.

    https://docs.aws.amazon.com/dtconsole/latest/userguide/connections-update.html
    """
    if connection["ConnectionStatus"] == "AVAILABLE":
        return None
    arn = connection["ConnectionArn"]
    return (
        f"The connection {connection['ConnectionName']} ({arn}) is not available: it is "
        f"{connection['ConnectionStatus']}. Finish it as a person does in the console, which is here: "
        f"curl -X POST {finish_url(cloud, arn)}"
    )
