"""What moto carries (S3, IAM, STS, Logs, Secrets Manager, ...), made to survive a restart.

moto holds everything in memory. So every request that changes something is written to a journal and replayed when the
cloud starts again, with moto's random numbers seeded by the journal's own sequence (`moto_chance`), so that the
identifiers come out the same. The objects of S3 are kept as plain files instead (`s3_objects`). Metrics are not kept,
and log events not here: `logs` forwards them anew from the jobs' own files.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "true")
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.utilities.utils import PARTITION_NAMES

from local_aws import bucket_policy, moto_amendments, moto_chance, wire
from local_aws.errors import AwsError
from local_aws.s3_objects import S3Objects, disk_full

_LOG = logging.getLogger(__name__)
_READS = ("Get", "Describe", "List", "Batch", "Filter", "Search", "Simulate", "Lookup", "PutLogEvents", "PutMetricData")
# No space left, quota used up, file too large: the disk is full for us.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORM = "application/x-www-form-urlencoded"
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/aws4_request")
_KEPT_HEADERS = ("HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "RAW_URI")


class MotoServices:
    """A WSGI application over moto's, with a journal in `home`."""

    def __init__(self, home: Path) -> None:
        bucket_policy.install()
        moto_chance.install()
        _leave_other_partitions_without_policies()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._journal = sqlite3.connect(home / "moto.sqlite", check_same_thread=False, isolation_level=None)
        self._journal.execute("PRAGMA journal_mode=WAL")
        self._journal.execute(
            "CREATE TABLE IF NOT EXISTS requests (sequence INTEGER PRIMARY KEY AUTOINCREMENT, environ TEXT, body BLOB)"
        )
        self._lock = threading.Lock()
        self._objects = S3Objects(home / "s3")
        self._replay()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["RAW_URI"] = environ.get("REQUEST_URI", environ["PATH_INFO"])
        s3 = _is_s3(environ)
        if s3 and _names_an_object(environ):
            return self._objects.watched(self._app, environ, start_response)
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") or (not s3 and _operation(environ).startswith(_READS)):
            return self._app(environ, start_response)
        body = environ["wsgi.input"].read()
        kept = {
            name: value for name, value in environ.items() if name.startswith(_KEPT_HEADERS) and isinstance(value, str)
        }
        with self._lock:
            # Written first, and struck out if moto refuses: what is answered as done is in the journal for certain.
            try:
                row = (json.dumps(kept), body)
                written = self._journal.execute("INSERT INTO requests (environ, body) VALUES (?, ?)", row)
            except sqlite3.OperationalError as error:
                return self._refused(environ, disk_full(error), start_response)
            sequence = written.lastrowid or 0
            started: list[tuple[Any, ...]] = []
            answer = list(self._send(sequence, environ, body, lambda *line: started.append(line)))
            try:
                if not started[-1][0].startswith("2"):
                    self._journal.execute("DELETE FROM requests WHERE sequence=?", (sequence,))
                elif s3:
                    self._objects.forget_what_is_gone(environ["PATH_INFO"])
            except (OSError, sqlite3.OperationalError):
                # Harmless: a replay is refused as the request was, and what has no bucket or file is not given back.
                _LOG.exception("could not tidy up after %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        start_response(*started[-1])
        return answer

    def _app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """moto, whose own failures are refusals in the words of the service: clients try others again, in vain."""
        service, operation = _asked(environ)
        started: list[tuple[Any, ...]] = []
        cause = ""
        if reason := moto_amendments.pretended(service, operation):
            message = f"{service}:{operation} is not carried out by local-aws: {reason}"
            return self._refused(environ, AwsError("UnknownOperationException", message), start_response)
        moto_amendments.amend(service)
        try:
            answer = self._moto(environ, lambda *line: started.append(line))
            if not started[-1][0].startswith(("4", "5")):
                start_response(*started[-1])
                return answer
            body = b"".join(answer)
            if not _is_of_the_web_framework(started[-1][0], body, environ["REQUEST_METHOD"]):
                start_response(*started[-1])
                return [body]
            _LOG.error("moto answered %s %s with %s: %r", service, operation, started[-1][0], body[:200])
        # A bug in moto may raise anything: it goes to the log whole, and the caller gets an answer that names it.
        except Exception as error:
            _LOG.exception("moto failed at %s:%s", service, operation)
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                return self._refused(environ, disk_full(error), start_response)
            if not isinstance(error, NotImplementedError):
                cause = f": {type(error).__name__}: {error}"
        message = f"{service}:{operation} is not carried out by local-aws (nor by moto){cause}"
        return self._refused(environ, AwsError("UnknownOperationException", message), start_response)

    def _refused(self, environ: dict[str, Any], error: AwsError, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A refusal in the words of the service; that a request is a form shows its protocol, whatever its service."""
        service = _service(environ)
        form = environ.get("CONTENT_TYPE", "").startswith(_FORM) and service not in ("ec2", "s3")
        return wire.send(wire.refusal(service, error, "query" if form else None), start_response)

    def _send(self, sequence: int, environ: dict[str, Any], body: bytes, start: Callable[..., Any]) -> Iterable[bytes]:
        with moto_chance.seeded(sequence):
            return self._app({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start)

    def _replay(self) -> None:
        for sequence, kept, body in self._journal.execute("SELECT * FROM requests ORDER BY sequence").fetchall():
            environ = {**_blank_environ(), **json.loads(kept)}
            status: list[str] = []
            list(self._send(sequence, environ, body, lambda line, *_, status=status: status.append(line)))
            if not status[-1].startswith("2"):
                _LOG.warning("replay of %s %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], status[-1])
        self._objects.restore()


def _asked(environ: dict[str, Any]) -> tuple[str, str]:
    """The service of a request and its operation, or method and path where it names none."""
    named = "" if _is_s3(environ) else _operation(environ)
    return _service(environ), named or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def _service(environ: dict[str, Any]) -> str:
    """The service that a request is signed for, or that an unsigned one means."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed:
        return signed.group(1)
    return "s3" if _is_s3(environ) else str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")[0]


def _is_of_the_web_framework(status: str, body: bytes, method: str) -> bool:
    """Whether an error is a page of moto's web framework, and no service's error in JSON or XML."""
    if body[:9].lower() == b"<!doctype":
        return True
    return status.startswith("5") and method != "HEAD" and not body.lstrip().startswith((b"{", b"<"))


def _leave_other_partitions_without_policies() -> None:
    """Of China's and the other partitions moto only needs the empty list of access keys, at the first request.

    Reading AWS's 1,600 managed policies for each of them would take as long as the whole start of the cloud.
    """
    wanted = os.environ.pop("MOTO_IAM_LOAD_MANAGED_POLICIES")
    for partition in PARTITION_NAMES:
        if partition != "aws":
            _ = iam_backends[DEFAULT_ACCOUNT_ID][partition]
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = wanted


def _is_s3(environ: dict[str, Any]) -> bool:
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization:
        return "/s3/aws4_request" in authorization
    return (
        "/s3/aws4_request" in environ.get("QUERY_STRING", "").replace("%2F", "/") or "HTTP_X_AMZ_TARGET" not in environ
    )


def _names_an_object(environ: dict[str, Any]) -> bool:
    return len(environ["PATH_INFO"].strip("/").split("/", 1)) == 2 or "delete" in environ.get("QUERY_STRING", "").split(
        "&"
    )


def _operation(environ: dict[str, Any]) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return target.rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        for field in body.split(b"&"):
            if field.startswith(b"Action="):
                return field[len(b"Action=") :].decode()
    return ""


def _blank_environ() -> dict[str, Any]:
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
