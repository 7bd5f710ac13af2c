"""The handshake that makes a connection available, which on AWS a person does in the console: here, one request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local_aws import same_origin, wire
from local_aws.connections.connection import KIND, SERVICES
from local_aws.routes import route
from local_aws.wire import Answer

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_PATH = re.compile(r"/_local/connections/(?P<id>[0-9a-f-]{36})/finish")


@route("/_local/connections/")
def finish(cloud: Cloud, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """POST /_local/connections/<id>/finish: a browser is sent back to where it came from, a program gets JSON."""
    refused = same_origin.refusal(environ)
    if refused is not None:
        return _say(403, refused, start_response)
    asked = _PATH.fullmatch(environ["PATH_INFO"])
    if asked is None:
        return _say(404, "There is nothing here but /_local/connections/<id>/finish.", start_response)
    if environ["REQUEST_METHOD"] != "POST":
        return _say(405, f"Finish a connection by POST, not by {environ['REQUEST_METHOD']}.", start_response)
    for service in SERVICES:
        arn = cloud.arn(f"connection/{asked['id']}", service)
        if cloud.store.find(KIND, arn) is not None:
            cloud.store.update(KIND, arn, {"ConnectionStatus": "AVAILABLE"})
            return _finished(arn, environ, start_response)
    there = ", ".join(row["ConnectionArn"] for row in cloud.store.all(KIND)) or "none"
    return _say(404, f"There is no connection {asked['id']}. There are: {there}.", start_response)


def _finished(arn: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        body = json.dumps({"ConnectionArn": arn, "ConnectionStatus": "AVAILABLE"}) + "\n"
        return wire.send(Answer(200, [("Content-Type", "application/json")], body.encode()), start_response)
    came_from = urlsplit(environ.get("HTTP_REFERER", ""))
    back = came_from.path if came_from.netloc == environ.get("HTTP_HOST") and came_from.path else "/"
    return wire.send(Answer(303, [("Location", back)], b""), start_response)


def _say(status: int, message: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    return wire.send(Answer(status, headers, f"{message}\n".encode()), start_response)
