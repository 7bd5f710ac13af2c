"""The credentials of containers: they ask for them at an address of their own, as on AWS, and get new ones in time.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from local_aws import wire
from local_aws.cloud import Cloud
from local_aws.iam import sessions
from local_aws.principal import Principal
from local_aws.routes import route
from local_aws.wire import Answer

_PATH = "/_local/credentials/"
_LOCK = threading.Lock()
# Kept in memory: no container outlives the server that it would ask.
_ADDRESSES: WeakKeyDictionary[Cloud, dict[str, Principal]] = WeakKeyDictionary()


def environment(cloud: Cloud, principal: Principal) -> dict[str, str]:
    """The variables by which every AWS SDK in a process finds the credentials of a role session."""
    with _LOCK:
        addresses = _ADDRESSES.setdefault(cloud, {})
        name = next((name for name, of in addresses.items() if of == principal), None)
        if name is None:
            name = secrets.token_urlsafe(24)
            addresses[name] = principal
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.settings.endpoint_url}{_PATH}{name}"}


@route(_PATH)
def give(cloud: Cloud, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer the credentials of the role session whose address it is."""
    principal = _ADDRESSES.get(cloud, {}).get(environ["PATH_INFO"].removeprefix(_PATH))
    if principal is None:
        return wire.send(Answer(404, [("Content-Type", "text/plain")], b"no such credentials"), start_response)
    given = sessions.of(cloud, principal)
    told = {
        "RoleArn": principal.role_arn,
        "AccessKeyId": given.access_key,
        "SecretAccessKey": given.secret_key,
        "Token": given.token,
        "Expiration": given.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return wire.send(Answer(200, [("Content-Type", "application/json")], json.dumps(told).encode()), start_response)
