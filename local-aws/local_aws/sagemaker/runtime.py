"""SageMaker's runtime: InvokeEndpoint hands a call to an instance of the endpoint and answers what it answers.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import urllib3
from urllib3.util import SKIP_HEADER

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.sagemaker.data_capture import CaptureConfig, Exchange, data_capture
from local_aws.sagemaker.endpoint_metrics import endpoint_metrics
from local_aws.sagemaker.hosting import NoInstance, NoSuchVariant, hosting
from local_aws.sagemaker.serving_process import ServingProcess
from local_aws.wire import Answer

# The service model of InvokeEndpoint gives Body this maximum, which is what AWS's own clients know.
BODY_BYTES = 6_291_456
# "A customer's model containers must respond to requests within 60 seconds", says the page above.
ANSWER_SECONDS = 60.0
_ATTRIBUTES_CHARACTERS = 1024
_PATH = re.compile(
    r"/endpoints/(?P<endpoint>[^/]+)/(?P<action>invocations|async-invocations|invocations-response-stream)"
)
_ELSEWHERE = {
    "HTTP_X_AMZN_SAGEMAKER_TARGET_MODEL": "TargetModel",
    "HTTP_X_AMZN_SAGEMAKER_TARGET_CONTAINER_HOSTNAME": "TargetContainerHostname",
    "HTTP_X_AMZN_SAGEMAKER_INFERENCE_COMPONENT": "InferenceComponentName",
    "HTTP_X_AMZN_SAGEMAKER_ENABLE_EXPLANATIONS": "EnableExplanations",
}
_FORWARDED = {
    "CONTENT_TYPE": "Content-Type",
    "HTTP_ACCEPT": "Accept",
    "HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES": "X-Amzn-SageMaker-Custom-Attributes",
    "HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID": "X-Amzn-SageMaker-Inference-Id",
    "HTTP_X_AMZN_SAGEMAKER_SESSION_ID": "X-Amzn-SageMaker-Session-Id",
}
_RETURNED = (
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-New-Session-Id",
    "X-Amzn-SageMaker-Closed-Session-Id",
)
# The container closed a connection that it had kept open, just as the next call was sent over it.
_STALE = (ConnectionResetError, BrokenPipeError)

Environ = dict[str, Any]


def respond(cloud: Cloud, environ: Environ) -> Answer:
    """Carry out a WSGI request to `/endpoints/{name}/invocations`.

    Raises `AwsError`: ValidationError for a call that reaches no container, ServiceUnavailable while none is healthy.
    A container that fails is answered as ModelError (424), with its status and message.
    """
    name = _check(environ)
    body = environ["wsgi.input"].read()
    if len(body) > BODY_BYTES:
        raise _invalid(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {BODY_BYTES}"
        )
    live = hosting(cloud).find(name)
    if live is None:
        raise _invalid(f"Endpoint {name} of account {cloud.settings.account} not found.")
    try:
        process, capture = live.take(environ.get("HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT"))
    except NoSuchVariant as error:
        raise _invalid(f"Variant {error} of endpoint {name} of account {cloud.settings.account} not found.") from error
    except NoInstance as error:
        raise AwsError("ServiceUnavailable", f"No instance of endpoint {name} can answer just now.", 503) from error
    try:
        return _invoke(cloud, name, process, capture, environ, body)
    finally:
        process.given_back()


def _check(environ: Environ) -> str:
    """The endpoint that a request names; raises `AwsError` for what is not carried out."""
    match = _PATH.fullmatch(environ["PATH_INFO"])
    if match is None or environ["REQUEST_METHOD"] != "POST":
        raise AwsError(
            "UnknownOperationException", f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} is no operation", 404
        )
    if match["action"] != "invocations":
        operation = "InvokeEndpointAsync" if match["action"].startswith("async") else "InvokeEndpointWithResponseStream"
        raise _invalid(f"{operation} is not carried out by local-aws: only InvokeEndpoint is.")
    for header, field in _ELSEWHERE.items():
        if environ.get(header):
            raise _invalid(f"{field} is not carried out by local-aws: its endpoints serve one model in one container.")
    if len(environ.get("HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES", "")) > _ATTRIBUTES_CHARACTERS:
        raise _invalid(
            "1 validation error detected: Value at 'customAttributes' failed to satisfy constraint: Member must have "
            f"length less than or equal to {_ATTRIBUTES_CHARACTERS}"
        )
    return match["endpoint"]


def _invoke(
    cloud: Cloud, name: str, process: ServingProcess, capture: CaptureConfig | None, environ: Environ, body: bytes
) -> Answer:
    headers = {header: environ[key] for key, header in _FORWARDED.items() if environ.get(key)}
    began = time.perf_counter()
    try:
        response = _sent(process, body, headers)
    except urllib3.exceptions.HTTPError as error:
        endpoint_metrics(cloud).count(name, process.variant.name, time.perf_counter() - began, 500)
        return _no_answer(cloud, name, process, error)
    endpoint_metrics(cloud).count(name, process.variant.name, time.perf_counter() - began, response.status)
    if not 200 <= response.status < 300:
        return _model_error(cloud, name, process, response.status, response.data.decode("utf-8", "replace"))
    content_type = response.headers.get("Content-Type", "application/octet-stream")
    if capture is not None and capture.samples():
        data_capture(cloud).record(
            capture,
            Exchange(
                endpoint=name,
                variant=process.variant.name,
                request_type=environ.get("CONTENT_TYPE", ""),
                request=body,
                response_type=content_type,
                response=response.data,
                inference_id=environ.get("HTTP_X_AMZN_SAGEMAKER_INFERENCE_ID"),
                custom_attributes=environ.get("HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES"),
                role=process.variant.model.role,
            ),
        )
    returned = [(header, response.headers[header]) for header in _RETURNED if header in response.headers]
    return Answer(
        200,
        [*_headers(content_type), ("x-Amzn-Invoked-Production-Variant", process.variant.name), *returned],
        response.data,
    )


def _sent(process: ServingProcess, body: bytes, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    headers = {**headers, "User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER}
    try:
        return process.send(body, headers, ANSWER_SECONDS)
    except urllib3.exceptions.ProtocolError as error:
        if isinstance(error.args[-1], _STALE) and process.alive():
            return process.send(body, headers, ANSWER_SECONDS)
        raise


def _no_answer(cloud: Cloud, name: str, process: ServingProcess, error: urllib3.exceptions.HTTPError) -> Answer:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        message = (
            "Your invocation timed out while waiting for a response from container primary. Review the latency metrics "
            "for each container in Amazon CloudWatch, resolve the issue, and try again."
        )
        return _model_error(cloud, name, process, 0, message)
    return _model_error(cloud, name, process, 500, f"The container broke off the connection: {error}")


def _model_error(cloud: Cloud, name: str, process: ServingProcess, status: int, message: str) -> Answer:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors"""
    region, account = cloud.settings.region, cloud.settings.account
    side = "client" if 400 <= status < 500 else "server"
    page = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    error = {
        "Message": f'Received {side} error ({status}) from primary with message "{message}". See '
        f"{page}#logEventViewer:group={process.log_group} in account {account} for more information.",
        "OriginalStatusCode": status,
        "OriginalMessage": message,
        "LogStreamArn": cloud.arn(f"log-group:{process.log_group}:log-stream:{process.log_stream}", "logs"),
    }
    headers = [*_headers("application/json"), ("x-amzn-ErrorType", "ModelError")]
    return Answer(424, headers, json.dumps(error).encode())


def _headers(content_type: str) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("x-amzn-RequestId", str(uuid.uuid4()))]


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
