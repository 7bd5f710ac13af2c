"""What a client is told when a store behind the server fails: a sentence, and whether trying again makes sense.

MLflow 3.17 answers a failing object store, and a database that is gone where artifacts are asked for, with a bare 500,
and what a database refuses with the statement and all its values.
Its clients try again after 408, 429 and 5xx but 507 (mlflow.utils.request_utils): so 503 where the fault may pass.
"""

from __future__ import annotations

import errno
import json
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mlflow_server.database import told

_LOG = logging.getLogger(__name__)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SQLITE_FULL = "database or disk is full"
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}


@dataclass(frozen=True)
class Fault:
    """An answer: `code` is one of MLflow's error codes."""

    status: HTTPStatus
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """The body, as MLflow's clients read it."""
        return {"error_code": self.code, "message": self.message}


_UNREACHABLE = Fault(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "TEMPORARILY_UNAVAILABLE",
    "The artifact store does not answer this server, so files can neither be written nor read until it does; runs and "
    "metrics go on. Try again later, or ask who runs the server to look after the store.",
)
_NO_DATABASE = Fault(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "TEMPORARILY_UNAVAILABLE",
    "The database does not answer this server, so nothing can be logged or read until it does. Try again later, or ask "
    "who runs the server to look after the database.",
)
_DISK = Fault(
    HTTPStatus.INSUFFICIENT_STORAGE,
    "INTERNAL_ERROR",
    "The disk of the tracking server is full, so nothing more can be logged; what was logged can be read. "
    "Make room on it, then log again.",
)


def fault_of(error: BaseException) -> Fault | None:
    """The answer to an error of a store; None where it is none."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return _of_mlflow(HTTPStatus(error.get_http_status_code()), error.error_code, str(error.message))
    if isinstance(error, OSError) and error.errno in _FULL:
        return _DISK
    if isinstance(error, ClientError):
        return _refusal(error.response.get("Error", {}).get("Code", ""), str(error))
    if isinstance(error, NoCredentialsError):
        return _refusal("AccessDenied", str(error))
    if isinstance(error, Boto3Error):
        cause = error.__cause__ or error.__context__
        return fault_of(cause) if cause else _UNREACHABLE
    return _UNREACHABLE if isinstance(error, BotoCoreError) else None


def install(application: Any) -> None:
    """Have the application, and MLflow's Flask application in it, answer faults of stores with these."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from fastapi.responses import JSONResponse
    from flask import jsonify
    from mlflow.server import app as flask

    def answered(_: Any, error: Exception) -> Any:
        fault = _told(error)
        return JSONResponse(fault.as_json(), fault.status) if fault else JSONResponse(_bug(), 500)

    def answered_by_flask(error: Exception) -> Any:
        fault = _told(error)
        if fault is None:
            raise error
        return jsonify(fault.as_json()), fault.status

    def said_plainly(response: Any) -> Any:
        text = "" if response.status_code < HTTPStatus.BAD_REQUEST else response.get_data(as_text=True)
        if not (told.of_sqlalchemy(text) or _SQLITE_FULL in text):
            return response
        fault = _of_body(HTTPStatus(response.status_code), text)
        said = jsonify(fault.as_json())
        said.status_code = fault.status
        return said

    for kind in (BotoCoreError, ClientError, Boto3Error, OSError):
        flask.register_error_handler(kind, answered_by_flask)
        application.add_exception_handler(kind, answered)
    # Also what is raised before a request has found its handler, as where permissions are looked up.
    application.add_exception_handler(Exception, answered)
    flask.after_request(said_plainly)


def _of_mlflow(status: HTTPStatus, code: str, message: str) -> Fault:
    """MLflow's own answer, in which it passes on what the database said."""
    if _SQLITE_FULL in message:
        return _DISK
    if status == HTTPStatus.SERVICE_UNAVAILABLE and told.of_sqlalchemy(message) and not told.has_statement(message):
        return _NO_DATABASE
    return Fault(status, code, told.reason(message))


def _of_body(status: HTTPStatus, text: str) -> Fault:
    try:
        said = json.loads(text)
        return _of_mlflow(status, str(said["error_code"]), str(said["message"]))
    except (json.JSONDecodeError, KeyError, TypeError):
        return _of_mlflow(status, "INTERNAL_ERROR", text)


def _told(error: Exception) -> Fault | None:
    fault = fault_of(error)
    if fault:
        _LOG.warning("%s (%s: %s)", fault.message, type(error).__name__, error)
    return fault


def _bug() -> dict[str, str]:
    return {"error_code": "INTERNAL_ERROR", "message": "The server failed; its log has the reason."}


def _refusal(code: str, said: str) -> Fault:
    if code in ("NoSuchKey", "404"):
        return Fault(HTTPStatus.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", "There is no such artifact.")
    if code == "NoSuchBucket":
        return Fault(
            HTTPStatus.NOT_FOUND,
            "RESOURCE_DOES_NOT_EXIST",
            "The bucket of the artifact store is gone: ask who runs the server to make it again.",
        )
    if code in _REFUSED:
        return Fault(
            HTTPStatus.FORBIDDEN,
            "PERMISSION_DENIED",
            f"The artifact store refuses this server ({said}): ask who runs it to look at its credentials and policy.",
        )
    return _UNREACHABLE
