"""What comes in over HTTP: whose request it is, and whether that role may make it of a service that moto carries."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError

from local_aws import wire
from local_aws.cloud import Cloud
from local_aws.contract import service_model
from local_aws.errors import AwsError
from local_aws.iam import authorization, bucket_policies, s3_access, sessions
from local_aws.iam.access import MODEL_NAMES, Access
from local_aws.iam.s3_access import S3Request
from local_aws.principal import ADMINISTRATOR, Principal

Environ = dict[str, Any]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]*/([^/]+)/aws4_request")
_BODY_LIMIT = 64 * 1024 * 1024
_FORM = "application/x-www-form-urlencoded"
_CBOR_OPERATION = re.compile(r"/service/[^/]+/operation/(\w+)")
# What is wrong with a session's credentials, in the codes of S3 and of the protocols that are not XML.
_S3_CODES = {"InvalidClientTokenId": ("InvalidAccessKeyId", 403), "InvalidToken": ("InvalidToken", 400)}
_JSON_CODES = {"ExpiredToken": "ExpiredTokenException"}


def signature(environ: Environ) -> tuple[str, str] | None:
    """The access key and the service that a request is signed with and for, in a header or in its query."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is not None:
        return found[1], found[2]
    if "Credential=" not in (query := environ.get("QUERY_STRING", "")) and "AWSAccessKeyId=" not in query:
        return None
    given = {name: values[0] for name, values in parse_qs(query).items()}
    found = _CREDENTIAL.search(f"Credential={given.get('X-Amz-Credential', '')}")
    if found is not None:
        return found[1], found[2]
    # Addresses that are signed beforehand in the older way are S3's.
    return (given["AWSAccessKeyId"], "s3") if "AWSAccessKeyId" in given else None


def principal(cloud: Cloud, environ: Environ) -> Principal:
    """Whose request it is; raises `AwsError`, in the code of the service, for credentials that are not good."""
    signed = signature(environ)
    if signed is None:
        return ADMINISTRATOR
    access_key, service = signed
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    query = environ.get("QUERY_STRING", "")
    if token is None and "x-amz-security-token=" in query.lower():
        token = {name.lower(): values[0] for name, values in parse_qs(query).items()}.get("x-amz-security-token")
    try:
        return sessions.authenticated(cloud, access_key, token)
    except AwsError as error:
        if service == "s3":
            code, status = _S3_CODES.get(error.code, (error.code, 400))
            raise AwsError(code, error.message, status) from error
        if wire.protocol_of(MODEL_NAMES.get(service, service)) in ("query", "ec2"):
            code = "InvalidClientTokenId" if error.code == "InvalidToken" else error.code
            raise AwsError(code, error.message, error.status) from error
        raise AwsError(_JSON_CODES.get(error.code, "UnrecognizedClientException"), error.message) from error


def check(cloud: Cloud, service: str, environ: Environ) -> None:
    """Refuse a request to a service that moto carries (by its signing name) which the acting role may not make.

    Raises `AwsError`. What is read of the request's body can be read again.
    """
    if service == "s3":
        for each in s3_access.needed(_s3(environ)):
            authorization.demand(cloud, "s3", each, bucket_policies.of_resource(each.resource))
        return
    operation, request = _asked(service, environ)
    authorization.check(cloud, service, operation, request)


def check_absence(cloud: Cloud, environ: Environ) -> None:
    """Refuse to tell the acting role that an object is not there, where it may not list what is.

    Raises `AwsError` (AccessDenied): https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (Permissions).
    Whether a condition on s3:prefix holds there is not documented: the key counts as the prefix.
    """
    bucket, _, key = _s3(environ).path.lstrip("/").partition("/")
    if key and bucket_policies.exists(bucket):
        asked = Access("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": (key,)})
        authorization.demand(cloud, "s3", asked, bucket_policies.of(bucket))


def _s3(environ: Environ) -> S3Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_X_AMZ_")
    }
    query = environ.get("QUERY_STRING", "")
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    deletes = environ["REQUEST_METHOD"] == "POST" and "delete" in parse_qs(query, keep_blank_values=True)
    return S3Request.parse(environ["REQUEST_METHOD"], path, query, headers, _body(environ) if deletes else b"")


def _asked(service: str, environ: Environ) -> tuple[str, Mapping[str, Any]]:
    """The operation of a request, and as much of its parameters as can be read."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return target.rpartition(".")[2], _json(_body(environ))
    path = environ["PATH_INFO"]
    cbor = _CBOR_OPERATION.fullmatch(path)
    if cbor is not None:
        return cbor[1], {}
    model = MODEL_NAMES.get(service, service)
    if environ.get("CONTENT_TYPE", "").startswith(_FORM) or wire.protocol_of(model) in ("query", "ec2"):
        body = _body(environ) or environ.get("QUERY_STRING", "").encode()
        operation = wire.operation_name(None, body) or "UnknownOperation"
        return operation, wire.parse(model, operation, body) if wire.protocol_of(model) == "query" else {}
    method = environ["REQUEST_METHOD"]
    found = (name for verb, pattern, name in _paths(model) if verb == method and pattern.fullmatch(path))
    return next(found, "UnknownOperation"), _json(_body(environ)) if method in ("POST", "PUT") else {}


@functools.cache
def _paths(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Method, path and name of each operation of a REST service; the paths with fewest variables first."""

    def described() -> Iterator[tuple[int, str, re.Pattern[str], str]]:
        try:
            model = service_model(service)
        except UnknownServiceError:
            return
        for name in model.operation_names:
            http = model.operation_model(name).http
            path = http["requestUri"].partition("?")[0]
            pattern = re.sub(r"\\\{[^}]*?\\\+\\\}", ".+", re.escape(path))
            yield path.count("{"), http["method"], re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", pattern) + "/?"), name

    ordered = sorted(described(), key=lambda each: each[0])
    return tuple((verb, pattern, name) for _, verb, pattern, name in ordered)


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _body(environ: Environ) -> bytes:
    body: bytes = environ["wsgi.input"].read(_BODY_LIMIT)
    environ["wsgi.input"] = io.BytesIO(body)
    return body
