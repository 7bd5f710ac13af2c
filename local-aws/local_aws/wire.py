"""AWS's wire formats: an HTTP request becomes an operation and its parameters, an answer or a refusal becomes HTTP.

moto's parsers and serializers, which are made from botocore's models, do the work.
"""

from __future__ import annotations

import functools
import http
import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from botocore.utils import parse_timestamp
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import JSONParser, QueryParser
from moto.core.serialize import get_serializer_class

from local_aws.contract import Contract
from local_aws.errors import AwsError
from local_aws.store import now

# No request of the services carried out here comes near it, and whatever walks a request recursively can bear it.
_DEPTH = 100
# What the parsers raise for values of the wrong type, and for numbers and times that Python has no room for.
_UNREADABLE = (ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, OSError)


@dataclass(frozen=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def operation_name(target: str | None, body: bytes) -> str | None:
    """The operation a request asks for: `X-Amz-Target` in the JSON protocols, the `Action` field in the query one."""
    if target:
        return target.rpartition(".")[2]
    if b"Action=" in body:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)).get("Action")
    return None


def parse(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """The parameters of a request; raises `AwsError` (SerializationException) for a malformed body."""
    model = _operation(service, operation)
    try:
        if model.service_model.protocol == "query":
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
            request: Any = {"values": fields}
            return QueryParser(model, timestamp_parser=_timestamp).parse(request)
        _check_json(body or b"{}")
        request = {"body": body or b"{}"}
        return JSONParser(model, timestamp_parser=_timestamp).parse(request)
    except _UNREADABLE as error:
        raise AwsError("SerializationException", f"The request for {operation} could not be read: {error}") from error


def answer(service: str, operation: str, result: dict[str, Any]) -> Answer:
    """A successful response in the service's protocol."""
    model = _operation(service, operation)
    serializer = get_serializer_class(service, protocol_of(service))
    response = serializer(operation_model=model).serialize(result)
    body = response["body"]
    return _answer(response["status_code"], response["headers"], body.encode() if isinstance(body, str) else body)


def refusal(service: str, error: AwsError, protocol: str | None = None) -> Answer:
    """An error response in the service's protocol, or in the one given where the request shows which it is."""
    protocol = protocol or protocol_of(service)
    if protocol in ("query", "ec2", "rest-xml"):
        fault = "Sender" if error.status < 500 else "Receiver"
        told, request_id = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>", uuid.uuid4()
        if protocol == "ec2":
            text = f"<Response><Errors><Error>{told}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        elif service == "s3":
            text = f"<Error>{told}<RequestId>{request_id}</RequestId></Error>"
        else:
            error_element = f"<Error><Type>{fault}</Type>{told}</Error>"
            text = f"<ErrorResponse>{error_element}<RequestId>{request_id}</RequestId></ErrorResponse>"
        return _answer(error.status, {"Content-Type": "text/xml"}, text.encode())
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": error.code}
    return _answer(error.status, headers, json.dumps({"__type": error.code, "message": error.message}).encode())


def protocol_of(service: str) -> str:
    """The protocol of a service by the name it signs with; "json" for one that botocore knows by another name."""
    try:
        # Of several protocols the one that boto3 speaks: CodeConnections names another first.
        return str(Contract.of(service).model.resolved_protocol)
    except UnknownServiceError:
        return "json"


def send(answer: Answer, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An answer as a WSGI response."""
    start_response(
        f"{answer.status} {http.HTTPStatus(answer.status).phrase}",
        [*answer.headers, ("Content-Length", str(len(answer.body)))],
    )
    return [answer.body]


def _check_json(body: bytes) -> None:
    """Raise `ValueError` for what is no JSON object, nor strictly JSON, nor text, or is nested without end."""
    document = json.loads(body, parse_constant=_finite, parse_float=_finite)
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")
    level: list[Any] = [document]
    for _ in range(_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value, *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                value.encode()
        if not below:
            return
        level = below
    raise ValueError(f"the body is nested more than {_DEPTH} levels deep")


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise ValueError(f"{number} is not a finite number")
    return float(number)


def _timestamp(value: Any) -> datetime:
    """A point in time as an aware datetime of UTC, which is also what a time without a zone is taken for."""
    time = parse_timestamp(value)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _answer(status: int, headers: Mapping[str, Any], body: bytes) -> Answer:
    both = {**headers, "x-amzn-RequestId": str(uuid.uuid4()), "Date": now().strftime("%a, %d %b %Y %H:%M:%S GMT")}
    return Answer(status, [(name, str(value)) for name, value in both.items() if value is not None], body)


@functools.cache
def _moto_model(service: str) -> ServiceModel:
    """botocore's model again, in the classes that moto's parsers and serializers take."""
    return ServiceModel(Contract.of(service).model._service_description, service)


def _operation(service: str, operation: str) -> OperationModel:
    Contract.of(service).operation(operation)
    return _moto_model(service).operation_model(operation)
