"""The door: one WSGI application that hands each request to the service it is signed for, ours or moto's."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable
from typing import Any

from local_aws import routes, same_origin, wire
from local_aws.cloud import SERVICES, Cloud
from local_aws.errors import AwsError
from local_aws.iam import authorization, gate
from local_aws.iam.access import MODEL_NAMES
from local_aws.moto_services import MotoServices
from local_aws.principal import acting, acting_as
from local_aws.sagemaker import runtime
from local_aws.wire import Answer

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_LOG = logging.getLogger(__name__)
# Services of which only some operations are ours: moto has the others.
_SHARED = {"iam", "sts"}
_BODY_LIMIT = 64 * 1024 * 1024


class Front:
    """The WSGI application."""

    def __init__(self, cloud: Cloud, moto: MotoServices) -> None:
        self._cloud = cloud
        self._moto = moto

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        signed = gate.signature(environ)
        service = signed[1] if signed else None
        # Pages and the git remote say it in their own form.
        wrong = same_origin.refusal(environ) if signed or not routes.find(environ) else None
        if wrong is not None:
            return wire.send(
                wire.refusal(_model(service, environ), AwsError("AccessDenied", wrong, 403)), start_response
            )
        try:
            principal = gate.principal(self._cloud, environ)
            with acting_as(principal):
                if principal.role_arn is not None and service is not None and service not in SERVICES:
                    gate.check(self._cloud, service, environ)
                if principal.role_arn is not None and service == "s3":
                    return self._s3_for_a_role(environ, start_response)
                return self._respond(service, environ, start_response)
        except AwsError as error:
            return wire.send(wire.refusal(_model(service, environ), error), start_response)

    def _s3_for_a_role(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started: list[tuple[Any, ...]] = []
        answer = self._respond("s3", environ, lambda *line: started.append(line))
        if started[-1][0].startswith("404") and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            gate.check_absence(self._cloud, environ)
        start_response(*started[-1])
        return answer

    def _respond(self, service: str | None, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if service == "sagemaker" and environ["PATH_INFO"].startswith("/endpoints/"):
            return wire.send(self._guarded("sagemaker-runtime", lambda: self._invoke(environ)), start_response)
        if environ["PATH_INFO"] == "/_local/health":
            return wire.send(Answer(200, [("Content-Type", "text/plain")], b"ok"), start_response)
        if service is None and (application := routes.find(environ)):
            return application(self._cloud, environ, start_response)
        if service not in SERVICES:
            return self._moto(environ, start_response)
        body = environ["wsgi.input"].read(_BODY_LIMIT)
        operation = wire.operation_name(environ.get("HTTP_X_AMZ_TARGET"), body)
        if service in _SHARED and operation not in SERVICES[service].operations:
            environ["wsgi.input"] = io.BytesIO(body)
            if acting().role_arn is not None:
                gate.check(self._cloud, service, environ)
            return self._moto(environ, start_response)
        return wire.send(self._guarded(service, lambda: self._carry_out(service, operation, body)), start_response)

    def _invoke(self, environ: Environ) -> Answer:
        if acting().role_arn is not None:
            name = environ["PATH_INFO"].split("/")[2]
            authorization.check(self._cloud, "sagemaker-runtime", "InvokeEndpoint", {"EndpointName": name})
        return runtime.respond(self._cloud, environ)

    def _carry_out(self, service: str, operation: str | None, body: bytes) -> Answer:
        if operation is None:
            raise AwsError("MissingAction", f"The request to {service} names no operation")
        result = self._cloud.call(service, operation, wire.parse(service, operation, body))
        return wire.answer(service, operation, result)

    def _guarded(self, service: str, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        except AwsError as error:
            return wire.refusal(service, error)
        except Exception as error:
            _LOG.exception("%s failed", service)
            return wire.refusal(service, AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500))


def _model(service: str | None, environ: Environ) -> str:
    """botocore's name of the service that a signed request is for."""
    if service == "sagemaker" and environ["PATH_INFO"].startswith("/endpoints/"):
        return "sagemaker-runtime"
    return MODEL_NAMES.get(service or "s3", service or "s3")
