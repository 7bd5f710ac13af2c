"""SageMaker's managed MLflow: a tracking server or an app, named by its ARN where others are by an address.
The plugin `sagemaker-mlflow` signs each request with the caller's AWS credentials; MLflow's accounts play no part."""

import re

# https://docs.aws.amazon.com/sagemaker/latest/dg/mlflow-track-experiments.html
_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):\d{12}:(?P<kind>mlflow-tracking-server|mlflow-app)/[^/\s]+"
)
_PERMISSIONS = {"mlflow-tracking-server": "sagemaker-mlflow:*", "mlflow-app": "sagemaker:CallMlflowAppApi"}


def is_managed(tracking_uri: str) -> bool:
    """Whether this is the ARN of a tracking server or an app, and not the address of a server."""
    return _ARN.fullmatch(tracking_uri) is not None


def console_url(tracking_uri: str) -> str:
    """Where a managed server's pages are opened from: links to them are made by SageMaker, one for each visit."""
    found = _ARN.fullmatch(tracking_uri)
    region = found["region"] if found else ""
    return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/mlflow"


def permission(tracking_uri: str) -> str:
    """The permission that a role needs on the ARN.

    https://docs.aws.amazon.com/sagemaker/latest/dg/mlflow-create-tracking-server-iam.html
    """
    found = _ARN.fullmatch(tracking_uri)
    return _PERMISSIONS[found["kind"]] if found else ""
