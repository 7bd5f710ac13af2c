"""The paths of the local cloud that are no AWS API: its pages, its git remote, what the remote's hooks call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

# A WSGI application that is told the cloud: (cloud, environ, start_response) -> body.
Application = Callable[["Cloud", dict[str, Any], Callable[..., Any]], Iterable[bytes]]

ROUTES: dict[str, Application] = {}


def route(prefix: str) -> Callable[[Application], Application]:
    """Have unsigned requests whose path starts with `prefix` answered by the function; the longest prefix wins."""

    def register(application: Application) -> Application:
        ROUTES[prefix] = application
        return application

    return register


def find(path: str) -> Application | None:
    """Who answers an unsigned request for this path, if anyone does."""
    prefixes = [prefix for prefix in ROUTES if path.startswith(prefix)]
    return ROUTES[max(prefixes, key=len)] if prefixes else None
