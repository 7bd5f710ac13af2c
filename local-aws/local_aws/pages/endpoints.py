"""Endpoints: what they serve, what their containers wrote, and a form that sends one a request."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from local_aws.errors import AwsError
from local_aws.pages import logs
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status
from local_aws.sagemaker import runtime

_KIND = "endpoint"
_TEXTS = ("application/json", "text/csv")
_LINE_CHARACTERS, _SHOWN_CHARACTERS = 100, 20_000
# What a request holds for a single row: enough to begin with, whatever the model takes.
_EXAMPLE = "[[5.1, 3.5, 1.4, 0.2]]"


@dataclass(frozen=True)
class Call:
    """What the form sends: the body as text, its content type, and the variant or nothing."""

    content_type: str
    body: str
    variant: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came back: the HTTP status, who answered, the text, and the time it took in milliseconds."""

    status: int
    variant: str
    content_type: str
    text: str
    milliseconds: float

    @property
    def tone(self) -> Status:
        return Status(str(self.status), "good" if self.status < 300 else "bad")


@page("/_local/endpoints/<name>")
def endpoint(visit: Visit, name: str) -> Response:
    """One endpoint."""
    return _show(visit, name, Call("application/json", _EXAMPLE), None)


@page("/_local/endpoints/<name>", method="POST")
def invoke(visit: Visit, name: str) -> Response:
    """The endpoint again, with its answer to what the form sent."""
    form = visit.request.form
    call = Call(form.get("content_type", ""), form.get("body", ""), form.get("variant", ""))
    body = _found(visit, name)
    if body["EndpointStatus"] == "Creating":
        raise AwsError("ValidationError", f"Endpoint {name} is still being created.")
    return _show(visit, name, call, _invoke(visit, name, call))


def _show(visit: Visit, name: str, call: Call, outcome: Outcome | None) -> Response:
    body = _found(visit, name)
    status = Status.of(body["EndpointStatus"])
    streams = logs.streams(visit, f"/aws/sagemaker/Endpoints/{name}")
    deployed = {variant["name"]: variant for variant in (body.get("_deployed") or {}).get("variants", [])}
    return visit.show(
        "endpoint.html",
        title=name,
        endpoint=body,
        status=status,
        reason=body.get("FailureReason") or "",
        variants=[(row, deployed.get(row["VariantName"])) for row in body.get("ProductionVariants", [])],
        pending=body.get("PendingDeploymentSummary"),
        streams=streams[-3:],
        call=call,
        types=_TEXTS,
        outcome=outcome,
        typing=True,
        moving=status.moving,
    )


def _found(visit: Visit, name: str) -> dict[str, Any]:
    body = visit.cloud.store.find(_KIND, name)
    if body is None:
        names = [row["EndpointName"] for row in visit.cloud.store.all(_KIND)]
        there = [Link(each, visit.path(endpoint, name=each)) for each in names]
        raise NotThere(f"There is no endpoint named {name}.", there)
    return body


def _invoke(visit: Visit, name: str, call: Call) -> Outcome:
    """Send a call the way a client of the runtime does, without its signature."""
    began = time.perf_counter()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/endpoints/{name}/invocations",
        "CONTENT_TYPE": call.content_type,
        "wsgi.input": io.BytesIO(call.body.encode()),
        **({"HTTP_X_AMZN_SAGEMAKER_TARGET_VARIANT": call.variant} if call.variant else {}),
    }
    try:
        answer = runtime.respond(visit.cloud, environ)
    except AwsError as error:
        return Outcome(error.status, "", "text/plain", error.message, (time.perf_counter() - began) * 1000)
    milliseconds = (time.perf_counter() - began) * 1000
    headers = {key.lower(): value for key, value in answer.headers}
    content_type = headers.get("content-type", "")
    text = answer.body.decode("utf-8", "replace")
    variant = headers.get("x-amzn-invoked-production-variant", "")
    return Outcome(answer.status, variant, content_type, _laid_out(text, content_type), milliseconds)


def _laid_out(text: str, content_type: str) -> str:
    """JSON with its lines broken, where it is too long for one and short enough to be read."""
    if "json" in content_type and _LINE_CHARACTERS < len(text) < _SHOWN_CHARACTERS:
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}\n… {len(text)} characters in all"
