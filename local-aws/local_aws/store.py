"""The state of this cloud: every resource is a row in SQLite, and a change wakes those who wait for it."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Body = dict[str, Any]

# Members by whose values rows of a kind are found, of kinds that have many rows or large ones.
_INDEXED = (
    ("stack", "StackName"),
    ("change_set", "StackId"),
    ("pipeline_execution", "PipelineArn"),
    ("pipeline_version", "PipelineArn"),
    ("codepipeline_execution", "pipelineName"),
    ("codepipeline_active", "pipelineName"),
    ("codebuild_build", "projectName"),
)


class Exists(Exception):
    """A row of this kind and name is there already."""


class Missing(Exception):
    """There is no row of this kind and name."""


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$time": value.timestamp()}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _decode(value: dict[str, Any]) -> Any:
    if "$time" in value:
        return datetime.fromtimestamp(value["$time"], UTC)
    if "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    if "$float" in value:
        return float(value["$float"])
    return value


def _text(body: Body) -> str:
    try:
        return json.dumps(body, default=_encode, allow_nan=False)
    except ValueError:
        return json.dumps(_spelled(body), default=_encode)


def _spelled(value: Any) -> Any:
    """The value with words for infinity and its like, which a template may hold: JSON has none, as SQLite reads it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, list | tuple) else value


def _member(name: str) -> str:
    """A member of the body in SQL; SQLite takes an index where a query says it just as the index does."""
    return f"""json_extract(body, '$."{name}"')"""


def now() -> datetime:
    """The time a resource was made or changed, in UTC."""
    return datetime.now(UTC)


class Store:
    """Rows of (kind, name, body); bodies are JSON objects that may hold datetimes and bytes.

    Every method may be called from any thread. A write is on disk (SQLite's write-ahead log) when the method returns.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS resources (kind TEXT, name TEXT, body TEXT NOT NULL, "
            "sequence INTEGER PRIMARY KEY AUTOINCREMENT, UNIQUE (kind, name))"
        )
        for kind, member in _INDEXED:
            self._connection.execute(
                f"CREATE INDEX IF NOT EXISTS {kind}_by_{member} ON resources ({_member(member)}) WHERE kind='{kind}'"
            )
        self._changed = threading.Condition(threading.RLock())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several reads and writes as one: others see all of them or none."""
        with self._changed:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            self._changed.notify_all()

    def create(self, kind: str, name: str, body: Body) -> None:
        """Add a row; raises `Exists` where the name is taken."""
        with self.transaction():
            try:
                self._connection.execute(
                    "INSERT INTO resources (kind, name, body) VALUES (?, ?, ?)",
                    (kind, name, _text(body)),
                )
            except sqlite3.IntegrityError as error:
                raise Exists(f"{kind} {name}") from error

    def find(self, kind: str, name: str) -> Body | None:
        """The body of a row, or None; the caller's own copy."""
        with self._changed:
            row = self._connection.execute(
                "SELECT body FROM resources WHERE kind=? AND name=?", (kind, name)
            ).fetchone()
        return None if row is None else json.loads(row[0], object_hook=_decode)

    def get(self, kind: str, name: str) -> Body:
        """The body of a row; raises `Missing`."""
        body = self.find(kind, name)
        if body is None:
            raise Missing(f"{kind} {name}")
        return body

    def all(
        self, kind: str, where: Mapping[str, str] | None = None, members: Sequence[str] | None = None
    ) -> list[Body]:
        """The bodies of all rows of a kind, oldest first.

        Of those alone whose members have the values of `where`, and with no other members than `members`, if given:
        SQLite picks them out of large bodies, and rows by an index, much faster than they can be read here.
        """
        wanted = where or {}
        picked = ", ".join(f"'{name}', {_member(name)}" for name in members or ())
        what = "body" if members is None else f"json_object({picked})"
        conditions = "".join(f" AND {_member(name)}=?" for name in wanted)
        with self._changed:
            rows = self._connection.execute(
                # Members are named by the code that asks, never by a request.
                f"SELECT {what} FROM resources WHERE kind=?{conditions} ORDER BY sequence",  # noqa: S608
                (kind, *wanted.values()),
            ).fetchall()
        bodies = [json.loads(row[0], object_hook=_decode) for row in rows]
        if members is None:
            return bodies
        return [{name: value for name, value in body.items() if value is not None} for body in bodies]

    def update(self, kind: str, name: str, change: Body | Callable[[Body], Body | None]) -> Body:
        """Merge `change` into a row, or let a function rewrite it (returning None leaves it); answers the new body."""
        with self.transaction():
            body = self.get(kind, name)
            changed = change(body) if callable(change) else {**body, **change}
            if changed is None:
                return body
            self._connection.execute(
                "UPDATE resources SET body=? WHERE kind=? AND name=?",
                (_text(changed), kind, name),
            )
            return changed

    def put(self, kind: str, name: str, body: Body) -> None:
        """Create the row or replace it."""
        with self.transaction():
            if self.find(kind, name) is None:
                self.create(kind, name, body)
            else:
                self.update(kind, name, lambda _: body)

    def delete(self, kind: str, name: str) -> None:
        """Remove a row; raises `Missing`."""
        with self.transaction():
            if self._connection.execute("DELETE FROM resources WHERE kind=? AND name=?", (kind, name)).rowcount == 0:
                raise Missing(f"{kind} {name}")

    def wait(self, kind: str, name: str, until: Callable[[Body], bool], timeout: float | None = None) -> Body:
        """Sleep until a row satisfies `until`, or `timeout` seconds have passed; answers the row as it then is.

        Raises `Missing` when the row is deleted meanwhile.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                body = self.get(kind, name)
                left = None if deadline is None else deadline - time.monotonic()
                if until(body) or (left is not None and left <= 0):
                    return body
                self._changed.wait(left)

    def close(self) -> None:
        with self._changed:
            self._connection.close()
