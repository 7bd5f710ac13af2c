"""The paths of the local cloud that are no AWS API: its pages, its git remote, what the remote's hooks call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

# A WSGI application that is told the cloud: (cloud, environ, start_response) -> body.
Application = Callable[["Cloud", dict[str, Any], Callable[..., Any]], Iterable[bytes]]

ROUTES: dict[str, Application] = {}
# Where the pages are. A browser that opens the server's own address means them, too.
PAGES = "/_local"


def route(prefix: str) -> Callable[[Application], Application]:
    """Have unsigned requests whose path starts with `prefix` answered by the function; the longest prefix wins."""

    def register(application: Application) -> Application:
        ROUTES[prefix] = application
        return application

    return register


def find(environ: Mapping[str, Any]) -> Application | None:
    """Who answers an unsigned request, if anyone does."""
    path = PAGES if _is_visit(environ) else environ["PATH_INFO"]
    prefixes = [prefix for prefix in ROUTES if path.startswith(prefix)]
    return ROUTES[max(prefixes, key=len)] if prefixes else None


def _is_visit(environ: Mapping[str, Any]) -> bool:
    """Whether this is a person's browser at the address without a path; S3's clients list buckets there."""
    asked = environ["PATH_INFO"] == "/" and environ["REQUEST_METHOD"] in ("GET", "HEAD")
    return asked and not environ.get("QUERY_STRING") and "text/html" in environ.get("HTTP_ACCEPT", "")
