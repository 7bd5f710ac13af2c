"""SageMaker's runtime: what an endpoint answers."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.wire import Answer


def respond(cloud: Cloud, environ: dict[str, Any]) -> Answer:
    """Carry out InvokeEndpoint for a WSGI request to `/endpoints/{name}/invocations`."""
    raise AwsError("ValidationError", f"Endpoint of {environ['PATH_INFO']} not found.")
