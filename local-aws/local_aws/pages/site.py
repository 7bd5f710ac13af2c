"""The addresses of the pages, who answers each, and what every answer has: safe headers, and errors as pages.

A page is a function of a `Visit` and of what its address names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, MapAdapter, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.pages.rendering import html
from local_aws.routes import PAGES, route
from local_aws.same_origin import refusal

_LOG = logging.getLogger(__name__)
_BODY_BYTES = 8 * 1024 * 1024
# Nothing but this server's own style sheet and script: what a commit message smuggles in is text and stays text.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ASSETS = {"style.css": "text/css", "refresh.js": "text/javascript", "icon.svg": "image/svg+xml"}
_FOLDER = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Link:
    """A place to go to: what it is called, and its path."""

    text: str
    path: str


class NotThere(Exception):
    """A page about something that does not exist. `there` leads to those of its kind that do."""

    def __init__(self, message: str, there: Sequence[Link] = ()) -> None:
        super().__init__(message)
        self.there = there


@dataclass(frozen=True)
class Visit:
    """One request for a page."""

    cloud: Cloud
    request: Request
    addresses: MapAdapter

    def path(self, page: Callable[..., Response], **names: str) -> str:
        """The path of a page."""
        return self.addresses.build(page.__name__, names)

    def show(self, template: str, *, http_status: int = 200, **values: Any) -> Response:
        """A page as HTML. `moving` among the values says that it will soon look different."""
        text = html(template, cloud=self.cloud, here=self.request.path, **values)
        return Response(text, http_status, content_type="text/html; charset=utf-8")

    def go(self, path: str) -> Response:
        """The answer to a form that did what it was sent for: have the browser fetch a page."""
        return redirect(path, 303)


Page = Callable[..., Response]
_MAP = Map(strict_slashes=False)
_PAGES: dict[str, Page] = {}


def page(address: str, method: str = "GET") -> Callable[[Page], Page]:
    """Register a function as the one that answers `address`, a rule of werkzeug's routing whose names it is given."""

    def register(function: Page) -> Page:
        _MAP.add(Rule(address, endpoint=function.__name__, methods=[method]))
        _PAGES[function.__name__] = function
        return function

    return register


@route(PAGES)
def site(cloud: Cloud, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI application of all pages."""
    request = Request(environ)
    request.max_content_length = request.max_form_memory_size = _BODY_BYTES
    visit = Visit(cloud, request, _MAP.bind_to_environ(environ))
    # A link from elsewhere may lead here; what it may not do is to change something.
    wrong = refusal(environ)
    if wrong is None:
        response = _answer(visit)
    else:
        response = Response(f"{wrong}\n", 403, content_type="text/plain; charset=utf-8")
    for header, value in _HEADERS.items():
        response.headers.setdefault(header, value)
    return response(environ, start_response)


def _answer(visit: Visit) -> Response:
    request = visit.request
    try:
        name, values = visit.addresses.match()
        return _PAGES[name](visit, **values)
    except NotThere as error:
        return _refusal(visit, 404, str(error), error.there)
    except AwsError as error:
        return _refusal(visit, error.status, error.message)
    except HTTPException as error:
        message = f"There is no page {request.path}." if error.code == 404 else str(error.description)
        return _refusal(visit, error.code or 500, message)
    except Exception as error:
        _LOG.exception("%s %s failed", request.method, request.path)
        return _refusal(visit, 500, f"This page could not be made: {type(error).__name__}: {error}")


def _refusal(visit: Visit, status: int, message: str, there: Sequence[Link] = ()) -> Response:
    title = "Not found" if status == 404 else "Not done"
    return visit.show("refusal.html", http_status=status, title=title, message=message, there=there)


@page("/_local/assets/<name>")
def asset(visit: Visit, name: str) -> Response:
    """The style sheet, the script and the icon."""
    if name not in _ASSETS:
        raise NotThere(f"There is no asset {name}.")
    return Response((_FOLDER / name).read_bytes(), content_type=_ASSETS[name])
