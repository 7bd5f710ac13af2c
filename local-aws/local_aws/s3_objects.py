"""The objects of S3 as plain files: what moto answers from memory is on disk too, and is given back to it at a start.

    home/s3/objects.sqlite        (bucket, key) -> headers, name of the file
    home/s3/data/<name>           the bytes

Only the current version of an object is kept across a restart, and no access control list.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey, S3Backend, s3_backends

from local_aws import wire
from local_aws.errors import AwsError

_LOG = logging.getLogger(__name__)
_CHUNK = 1024 * 1024
# The names under which the attributes of moto's objects are kept, beside metadata, tags and the time.
_ATTRIBUTES = {
    "etag": "_etag",
    "version_id": "_version_id",
    "is_versioned": "_is_versioned",
    "storage_class": "_storage_class",
    "encryption": "encryption",
    "kms_key_id": "kms_key_id",
    "bucket_key_enabled": "bucket_key_enabled",
    "checksum_algorithm": "checksum_algorithm",
    "checksum_value": "checksum_value",
    "checksum_type": "checksum_type",
    "checksum_parts": "checksum_parts",
    "website_redirect_location": "website_redirect_location",
    "lock_mode": "lock_mode",
    "lock_legal_status": "lock_legal_status",
    "lock_until": "lock_until",
}


def disk_full(error: Exception) -> AwsError:
    """The refusal of a change that could not be written; its status is none that clients try again."""
    message = f"The disk of local-aws is full, or cannot be written: {error}. Nothing was changed."
    return AwsError("InternalError", message, 507)


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
        # Requests for one key wait for each other; those for others hardly ever do.
        self._locks = [threading.RLock() for _ in range(64)]

    @property
    def _backend(self) -> S3Backend:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def watched(self, app: Any, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Let moto answer, and write down what the request changed before the client hears of it.

        What cannot be written is undone in moto and refused: an object never reads as it would not after a restart.
        """
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start_response)
        query = parse_qs(environ.get("QUERY_STRING", ""))
        bucket, _, key = environ["PATH_INFO"].lstrip("/").encode("latin-1").decode("utf-8", "replace").partition("/")
        if "uploadId" in query and not self._has_upload(bucket, query["uploadId"][0]):
            gone = "The specified upload does not exist. It may have been aborted or completed, or local-aws restarted."
            return wire.send(wire.refusal("s3", AwsError("NoSuchUpload", gone, 404)), start_response)
        if "partNumber" in query:
            return app(environ, start_response)
        started: list[tuple[Any, ...]] = []
        with self._lock_of(bucket, key):
            before = list(self._versions(bucket, key))
            answer = list(app(environ, lambda *line: started.append(line)))
            if started[-1][0].startswith("2"):
                try:
                    if key:
                        self._sync(bucket, key)
                    else:
                        self.forget_what_is_gone(environ["PATH_INFO"])
                except (OSError, sqlite3.OperationalError) as error:
                    self._put_back(bucket, key, before)
                    return wire.send(wire.refusal("s3", disk_full(error)), start_response)
        start_response(*started[-1])
        return answer

    def _lock_of(self, bucket: str, key: str) -> threading.RLock:
        return self._locks[hash((bucket, key)) % len(self._locks)]

    def _has_upload(self, bucket: str, upload: str) -> bool:
        held = self._backend.buckets.get(bucket)
        return held is None or upload in held.multiparts

    def _versions(self, bucket: str, key: str) -> list[Any]:
        held = self._backend.buckets.get(bucket)
        return held.keys.getlist(key, []) if held is not None else []

    def _sync(self, bucket: str, key: str) -> None:
        held = self._backend.get_object(bucket, key)
        if held is None:
            self._forget(bucket, key)
            return
        file = self._data / uuid.uuid4().hex
        try:
            with file.open("wb") as target, held.lock:
                held._value_buffer.seek(0)
                shutil.copyfileobj(held._value_buffer, target, _CHUNK)
            kept = self._kept(bucket, key)
            row = (bucket, key, file.name, json.dumps(self._headers(held)))
            self._index.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", row)
        except (OSError, sqlite3.OperationalError):
            file.unlink(missing_ok=True)
            raise
        if kept is not None:
            kept[0].unlink(missing_ok=True)

    def _forget(self, bucket: str, key: str) -> None:
        kept = self._kept(bucket, key)
        if kept is not None:
            kept[0].unlink(missing_ok=True)
            try:
                self._index.execute("DELETE FROM objects WHERE bucket=? AND key=?", (bucket, key))
            except sqlite3.OperationalError:
                # A full disk must not keep anyone from making room on it; a row without its file gives nothing back.
                _LOG.exception("s3://%s/%s is deleted, but its row is not", bucket, key)

    def _kept(self, bucket: str, key: str) -> tuple[Path, dict[str, Any]] | None:
        """The file and the headers of an object as they are on disk."""
        asked = "SELECT file, headers FROM objects WHERE bucket=? AND key=?"
        row = self._index.execute(asked, (bucket, key)).fetchone()
        return (self._data / row[0], json.loads(row[1])) if row else None

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
        for bucket, key in self._index.execute("SELECT bucket, key FROM objects").fetchall():
            if bucket in self._backend.buckets:
                self._give_back(bucket, key)

    def _give_back(self, bucket: str, key: str) -> bool:
        """Give moto an object as it is on disk; whether there is one."""
        kept = self._kept(bucket, key)
        if kept is None or not kept[0].exists():
            return False
        held = self._backend.put_object(bucket, key, kept[0].read_bytes(), disable_notification=True)
        self._dress(held, kept[1])
        return True

    def _put_back(self, bucket: str, key: str, before: list[Any]) -> None:
        """Undo a change in moto: the versions before it, of which it keeps none that it has replaced or deleted."""
        keys = self._backend.get_bucket(bucket).keys
        alive = [version for version in before if not getattr(version, "disposed", False)]
        if alive:
            keys.setlist(key, alive)
            kept = self._kept(bucket, key)
            if kept is not None and isinstance(alive[-1], FakeKey):
                self._dress(alive[-1], kept[1])
        elif not self._give_back(bucket, key) and key in keys:
            keys.pop(key)

    def _headers(self, held: FakeKey) -> dict[str, Any]:
        return {
            **{name: getattr(held, attribute) for name, attribute in _ATTRIBUTES.items()},
            "last_modified": held.last_modified.isoformat(),
            "metadata": dict(held.metadata.items()),
            "tags": self._backend.tagger.get_tag_dict_for_resource(held.arn),
        }

    def _dress(self, held: FakeKey, kept: dict[str, Any]) -> None:
        """Give an object of moto's the headers it has on disk (an older local-aws wrote fewer of them)."""
        for name, attribute in _ATTRIBUTES.items():
            if name in kept:
                setattr(held, attribute, kept[name])
        if "last_modified" in kept:
            held.last_modified = datetime.fromisoformat(kept["last_modified"])
        held.set_metadata(dict(kept["metadata"]))
        tagger = self._backend.tagger
        tagger.delete_all_tags_for_resource(held.arn)
        tagger.tag_resource(held.arn, tagger.convert_dict_to_tags_input(kept["tags"]))
