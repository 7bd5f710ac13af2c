"""The objects of S3 as plain files: what moto answers from memory is on disk too, and is given back to it at a start.

    home/s3/objects.sqlite        (bucket, key) -> headers, name of the file
    home/s3/data/<name>           the bytes

Only the current version of an object is kept across a restart.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey, S3Backend, s3_backends

_CHUNK = 1024 * 1024


class S3Objects:
    """The files under `folder`, kept in step with moto's S3."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._data.mkdir(parents=True, exist_ok=True)
        self._index = sqlite3.connect(folder / "objects.sqlite", check_same_thread=False, isolation_level=None)
        self._index.execute("PRAGMA journal_mode=WAL")
        self._index.execute(
            "CREATE TABLE IF NOT EXISTS objects "
            "(bucket TEXT, key TEXT, file TEXT, headers TEXT, PRIMARY KEY (bucket, key))"
        )

    @property
    def _backend(self) -> S3Backend:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def watched(self, app: Any, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Let moto answer, and write down what the request changed before the client hears of it."""
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD"):
            return app(environ, start_response)
        started: list[tuple[Any, ...]] = []
        answer = list(app(environ, lambda *line: started.append(line)))
        if started and started[-1][0].startswith("2") and "partNumber=" not in environ.get("QUERY_STRING", ""):
            bucket, _, key = environ["PATH_INFO"].strip("/").partition("/")
            if key:
                self._sync(bucket, environ["PATH_INFO"].lstrip("/").partition("/")[2].encode("latin-1").decode())
            else:
                self.forget_what_is_gone(environ["PATH_INFO"])
        start_response(*started[-1])
        return answer

    def _sync(self, bucket: str, key: str) -> None:
        held = self._backend.get_object(bucket, key)
        if held is None:
            self._forget(bucket, key)
            return
        name = uuid.uuid4().hex
        with (self._data / name).open("wb") as file:
            held._value_buffer.seek(0)
            shutil.copyfileobj(held._value_buffer, file, _CHUNK)
        self._forget(bucket, key)
        self._index.execute(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (bucket, key, name, json.dumps(_headers(held)))
        )

    def _forget(self, bucket: str, key: str) -> None:
        for (name,) in self._index.execute(
            "SELECT file FROM objects WHERE bucket=? AND key=?", (bucket, key)
        ).fetchall():
            self._index.execute("DELETE FROM objects WHERE bucket=? AND key=?", (bucket, key))
            (self._data / name).unlink(missing_ok=True)

    def forget_what_is_gone(self, path: str) -> None:
        """Drop the files of objects that a request to a whole bucket has deleted."""
        bucket = path.strip("/").partition("/")[0]
        for (key,) in self._index.execute("SELECT key FROM objects WHERE bucket=?", (bucket,)).fetchall():
            try:
                there = self._backend.get_object(bucket, key) is not None
            except MissingBucket:
                there = False
            if not there:
                self._forget(bucket, key)

    def restore(self) -> None:
        """Give moto the objects there were when the cloud was last up."""
        for bucket, key, name, headers in self._index.execute("SELECT * FROM objects").fetchall():
            file = self._data / name
            if not file.exists() or bucket not in self._backend.buckets:
                continue
            kept = json.loads(headers)
            held = self._backend.put_object(bucket, key, file.read_bytes(), etag=kept["etag"])
            held.set_metadata(kept["metadata"])
            held.checksum_algorithm, held.checksum_value = kept["checksum_algorithm"], kept["checksum_value"]
            self._backend.tagger.tag_resource(held.arn, [{"Key": k, "Value": v} for k, v in kept["tags"].items()])


def _headers(held: FakeKey) -> dict[str, Any]:
    return {
        "etag": held._etag,
        "metadata": dict(held.metadata.items()),
        "checksum_algorithm": getattr(held, "checksum_algorithm", None),
        "checksum_value": getattr(held, "checksum_value", None),
        "tags": held.backend.tagger.get_tag_dict_for_resource(held.arn) if hasattr(held, "backend") else {},
    }
