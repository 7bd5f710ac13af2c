"""MLflow's login where it answers wrongly: another scheme than Basic, and accounts that cannot be read just now.

Seen in 3.17: `Authorization: Bearer …` is answered with a bare 500; and while the database is away, the doors of
artifacts refuse a right password with 401, after which no client tries again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_UNAUTHORIZED, _UNAVAILABLE = 401, 503
# There the header is a provider's key, which is passed on.
_GATEWAY = "/gateway/"
_AWAY = json.dumps(
    {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "The accounts of this server cannot be read: try again later."}
).encode()
# What went wrong with the accounts during this request; shared with the threads that work on it.
_failures: ContextVar[list[Exception]] = ContextVar("failures of the accounts' database")


class Login:
    """An ASGI application whose refusals of a login are right."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not scope["path"].startswith(_GATEWAY):
            headers = [(name, value) for name, value in scope["headers"] if name != b"authorization" or _basic(value)]
            scope = {**scope, "headers": headers}
        failures: list[Exception] = []
        _failures.set(failures)
        refused = False

        async def corrected(message: Any) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == _UNAUTHORIZED and failures:
                refused = True
                headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_AWAY))]
                await send({"type": "http.response.start", "status": _UNAVAILABLE, "headers": headers})
                await send({"type": "http.response.body", "body": _AWAY})
            elif not refused:
                await send(message)

        await self._app(scope, receive, corrected)


def note_failures() -> None:
    """Have MLflow's accounts, once they are loaded, note for `Login` when their database does not answer."""
    from mlflow.exceptions import MlflowException
    from mlflow.server.auth import store

    sessions: Callable[..., Any] = store.ManagedSessionMaker

    @contextmanager
    def noted(read_only: bool = True) -> Iterator[Any]:
        try:
            with sessions(read_only=read_only) as session:
                yield session
        except MlflowException as error:
            if error.get_http_status_code() == _UNAVAILABLE:
                _failures.get([]).append(error)
            raise

    store.ManagedSessionMaker = noted


def _basic(value: bytes) -> bool:
    return value[:6].lower() == b"basic "
