"""CodeConnections by API, under both of its names: CodeConnections and, as before, CodeStar connections.

https://docs.aws.amazon.com/codeconnections/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_aws.connections.connection import KIND, named
from local_aws.errors import AwsError
from local_aws.operations import CODECONNECTIONS, CODESTAR_CONNECTIONS, Handler, Service
from local_aws.sagemaker import listing

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_MOST_TAGS = 50


def _operation(name: str) -> Callable[[Callable[[Cloud, dict[str, Any], Service], Any]], None]:
    """Register a function as this operation of both services; it is told which of them was asked."""

    def register(function: Callable[[Cloud, dict[str, Any], Service], Any]) -> None:
        for service in (CODECONNECTIONS, CODESTAR_CONNECTIONS):
            service.operation(name)(_of(function, service))

    return register


def _of(function: Callable[[Cloud, dict[str, Any], Service], Any], service: Service) -> Handler:
    return lambda cloud, request: function(cloud, request, service)


@_operation("CreateConnection")
def create_connection(cloud: Cloud, request: dict[str, Any], service: Service) -> dict[str, Any]:
    """A new connection, PENDING: the handshake with the provider is a person's, on AWS in the console."""
    if "HostArn" in request:
        raise AwsError(
            "ResourceNotFoundException",
            f"Host {request['HostArn']} not found: local-aws has no hosts, give the connection a ProviderType.",
        )
    if "ProviderType" not in request:
        raise AwsError("ValidationException", "Either ProviderType or HostArn has to be given")
    arn = cloud.arn(f"connection/{uuid.uuid4()}", service.name)
    connection = {
        "ConnectionName": request["ConnectionName"],
        "ConnectionArn": arn,
        "ProviderType": request["ProviderType"],
        "OwnerAccountId": cloud.settings.account,
        "ConnectionStatus": "PENDING",
        "_tags": _tagged([], request.get("Tags", [])),
    }
    cloud.store.create(KIND, arn, connection)
    return {"ConnectionArn": arn, "Tags": connection["_tags"]}


@_operation("GetConnection")
def get_connection(cloud: Cloud, request: dict[str, Any], service: Service) -> dict[str, Any]:
    """One connection with its status."""
    return {"Connection": _public(named(cloud, request["ConnectionArn"]))}


@_operation("ListConnections")
def list_connections(cloud: Cloud, request: dict[str, Any], service: Service) -> dict[str, Any]:
    """The connections of the account, of one provider where that is asked for."""
    wanted = request.get("ProviderTypeFilter")
    rows = [
        _public(connection)
        for connection in cloud.store.all(KIND)
        if wanted in (None, connection["ProviderType"]) and "HostArnFilter" not in request
    ]
    order = {"MaxResults": request.get("MaxResults") or 100, "NextToken": request.get("NextToken", "0")}
    page, token = listing.page(rows, order, name_key="ConnectionName")
    return listing.answer("Connections", page, token)


@_operation("DeleteConnection")
def delete_connection(cloud: Cloud, request: dict[str, Any], service: Service) -> None:
    """Remove a connection; what was pushed stays, as it does at the provider."""
    cloud.store.delete(KIND, named(cloud, request["ConnectionArn"])["ConnectionArn"])


@_operation("TagResource")
def tag_resource(cloud: Cloud, request: dict[str, Any], service: Service) -> None:
    """Add tags to a connection, or change them."""
    connection = named(cloud, request["ResourceArn"])
    tags = _tagged(connection["_tags"], request["Tags"])
    cloud.store.update(KIND, connection["ConnectionArn"], {"_tags": tags})


@_operation("UntagResource")
def untag_resource(cloud: Cloud, request: dict[str, Any], service: Service) -> None:
    """Take tags off a connection."""
    connection = named(cloud, request["ResourceArn"])
    left = [tag for tag in connection["_tags"] if tag["Key"] not in request["TagKeys"]]
    cloud.store.update(KIND, connection["ConnectionArn"], {"_tags": left})


@_operation("ListTagsForResource")
def list_tags_for_resource(cloud: Cloud, request: dict[str, Any], service: Service) -> dict[str, Any]:
    """The tags of a connection."""
    return {"Tags": named(cloud, request["ResourceArn"])["_tags"]}


def _public(connection: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in connection.items() if not key.startswith("_")}


def _tagged(there: list[dict[str, str]], added: list[dict[str, str]]) -> list[dict[str, str]]:
    tags = {tag["Key"]: tag["Value"] for tag in [*there, *added]}
    if len(tags) > _MOST_TAGS:
        raise AwsError("LimitExceededException", f"A connection has at most {_MOST_TAGS} tags")
    return [{"Key": key, "Value": value} for key, value in tags.items()]
