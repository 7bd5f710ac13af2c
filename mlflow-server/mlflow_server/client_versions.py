"""Which versions of MLflow's client call a server, noted in its database: an upgrade asks before it breaks them.

A version is written once a day and process, after a request of it was let in, and never while that request waits.
https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

TABLE = "mlflow_server_client_versions"
_AGENT, _VERSION = b"user-agent", b"x-mlflow-client-version"
_CLIENT = re.compile(rb"mlflow-[a-z]+-client/(\d{1,4}\.\d[0-9A-Za-z.+-]{0,24})")
_PLAIN = re.compile(rb"(\d{1,4}\.\d[0-9A-Za-z.+-]{0,24})")
_MOST = 100
_UNAUTHORIZED = 401

_logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]


@dataclass(frozen=True)
class ClientVersion:
    """A version that called, and the day (UTC) on which it did last."""

    version: str
    seen_on: date

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


class ClientVersions:
    """An ASGI application around another that notes who calls it."""

    def __init__(self, application: Application, database_url: str) -> None:
        self._application = application
        self._database_url = database_url
        self._noted: dict[bytes, date] = {}
        self._writing: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        version = _version_of(scope) if scope["type"] == "http" else None
        today = datetime.now(UTC).date()
        if version is None or self._noted.get(version) == today or len(self._noted) >= _MOST:
            await self._application(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != _UNAUTHORIZED:
                self._note(version, today)
            await send(message)

        await self._application(scope, receive, noting)

    def _note(self, version: bytes, today: date) -> None:
        if self._noted.get(version) == today:
            return
        self._noted[version] = today
        seen = ClientVersion(version.decode(), today)
        writing = asyncio.get_running_loop().run_in_executor(None, self._write, seen)
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    def _write(self, seen: ClientVersion) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            write(self._database_url, seen)
        except SQLAlchemyError as error:
            # The request was answered; tomorrow's first one notes the version again.
            _logger.warning("The client version %s could not be noted: %s", seen.version, error)


def noting_clients(application: Application) -> Application:
    """The application that notes who calls, in the database that the environment of `Serving` names."""
    return ClientVersions(application, os.environ["_MLFLOW_SERVER_FILE_STORE"])


def write(database_url: str, seen: ClientVersion) -> None:
    """Note a version in a database, on the latest day it was seen."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    engine = create_engine(database_url, poolclass=NullPool)
    values = {"version": seen.version, "seen_on": seen.seen_on.isoformat()}
    make = f"CREATE TABLE IF NOT EXISTS {TABLE} (version VARCHAR(32) PRIMARY KEY, seen_on VARCHAR(10) NOT NULL)"
    update = f"UPDATE {TABLE} SET seen_on = :seen_on WHERE version = :version AND seen_on < :seen_on"  # noqa: S608
    insert = f"INSERT INTO {TABLE} (version, seen_on) VALUES (:version, :seen_on)"  # noqa: S608 - a constant
    known = f"SELECT 1 FROM {TABLE} WHERE version = :version"  # noqa: S608 - a constant
    for last in (False, True):
        try:
            with engine.begin() as connection:
                connection.execute(text(make))
                if connection.execute(text(known), values).first():
                    connection.execute(text(update), values)
                else:
                    connection.execute(text(insert), values)
            return
        except DBAPIError:
            # Another process made the table or the row at the same moment: it is there the second time.
            if last:
                raise


def seen_since(database_url: str, day: date) -> list[ClientVersion]:
    """The versions that called on that day or later, the oldest version first."""
    from sqlalchemy import create_engine, inspect, text

    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(TABLE):
                return []
            rows = connection.execute(
                text(f"SELECT version, seen_on FROM {TABLE} WHERE seen_on >= :day"),  # noqa: S608 - a constant
                {"day": day.isoformat()},
            ).all()
    finally:
        engine.dispose()
    seen = [ClientVersion(str(version), date.fromisoformat(str(seen_on))) for version, seen_on in rows]
    return sorted(seen, key=lambda client: [int(part) for part in re.findall(r"\d+", client.version)])


def of_other_majors(database_url: str, major: int, today: date, days: int) -> list[ClientVersion]:
    """The clients of the last `days` that an MLflow of that major version may break."""
    return [client for client in seen_since(database_url, today - timedelta(days=days)) if client.major != major]


def _version_of(scope: Message) -> bytes | None:
    for name, value in scope["headers"]:
        found = (_CLIENT if name == _AGENT else _PLAIN).fullmatch(value) if name in (_AGENT, _VERSION) else None
        if found:
            return bytes(found[1])
    return None
