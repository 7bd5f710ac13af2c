"""The endpoint as its clients see it: rows go in by InvokeEndpoint, predictions come out.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_deploy.errors import DeploymentError

JSON, CSV = "application/json", "text/csv"
# What InvokeEndpoint takes, in bytes.
LARGEST_BODY = 6_291_456


@dataclass(frozen=True)
class Answer:
    """The predictions, one entry a row, and the model version that made them (`name/version`), empty if not told."""

    predictions: list[Any]
    served_as: str


def ask(runtime: Any, endpoint_name: str, body: bytes, content_type: str) -> Answer:
    """Send a body of rows and return what the endpoint answers.

    Raises:
        DeploymentError: there is no such endpoint in service, it refuses the body (with its status and message), the
            body is too large, or the answer holds no predictions.
    """
    if len(body) > LARGEST_BODY:
        raise DeploymentError(
            f"The request has {len(body)} bytes, SageMaker takes {LARGEST_BODY}. Send the rows in several parts."
        )
    try:
        answer = runtime.invoke_endpoint(EndpointName=endpoint_name, ContentType=content_type, Accept=JSON, Body=body)
    except ClientError as error:
        raise _refusal(endpoint_name, error) from error
    text = answer["Body"].read()
    try:
        predictions = json.loads(text)["predictions"]
    except (ValueError, KeyError, TypeError) as error:
        raise DeploymentError(
            f"The endpoint {endpoint_name} answered something other than predictions: {text[:200]!r}. "
            "See that it serves an image built from model-deploy/serving."
        ) from error
    if not isinstance(predictions, list):
        raise DeploymentError(
            f"The endpoint {endpoint_name} answered {predictions!r}, which is no list of predictions."
        )
    return Answer(predictions, answer.get("CustomAttributes", ""))


def _said(body: str) -> str:
    """What a container's error says: the message in its JSON, or the whole of it."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body


def _refusal(endpoint_name: str, error: ClientError) -> Exception:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code == "ModelError":
        status = error.response.get("OriginalStatusCode", 500)
        said = _said(error.response.get("OriginalMessage") or message)
        advice = "Correct the rows and send them again."
        if int(status) >= 500:
            advice = f"Its log is the group /aws/sagemaker/Endpoints/{endpoint_name} in CloudWatch Logs."
        return DeploymentError(f"The endpoint {endpoint_name} answered {status}: {said} {advice}")
    if code in ("ValidationError", "ValidationException"):
        return DeploymentError(
            f"The endpoint {endpoint_name} cannot be invoked: {message} See aws sagemaker list-endpoints for those "
            "there are, or deploy it with python -m model_deploy."
        )
    return error
