"""The address of the MLflow server, as it was given: http(s), or the ARN of SageMaker's managed MLflow.
A managed server's requests are signed with the caller's AWS credentials, by the plugin `sagemaker-mlflow`."""

import re
from urllib.parse import urlsplit

from model_deploy.errors import DeploymentError

# https://docs.aws.amazon.com/sagemaker/latest/dg/mlflow-track-experiments.html
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:(?P<kind>mlflow-tracking-server|mlflow-app)/[^/\s]+")
_PERMISSIONS = {"mlflow-tracking-server": "sagemaker-mlflow:*", "mlflow-app": "sagemaker:CallMlflowAppApi"}


def checked_address(value: str) -> str:
    """The address, if it is one. Raises DeploymentError for anything else: MLflow would take a word for a folder."""
    parts = urlsplit(value)
    if _ARN.fullmatch(value) or (parts.scheme in ("http", "https") and parts.hostname):
        return value
    raise DeploymentError(
        f"MLFLOW_TRACKING_URI is {value!r}, which is no address of an MLflow server: give one that begins with "
        "https:// or http://, or the ARN of a managed MLflow, "
        "arn:aws:sagemaker:REGION:ACCOUNT:mlflow-tracking-server/NAME or ...:mlflow-app/NAME."
    )


def missing_permission(tracking_uri: str) -> str | None:
    """The permission that lets a role into a managed MLflow; None for the address of any other server."""
    found = _ARN.fullmatch(tracking_uri)
    return _PERMISSIONS[found["kind"]] if found else None
