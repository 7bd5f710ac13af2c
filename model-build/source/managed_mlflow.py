"""SageMaker's managed MLflow: a tracking server or an app, named by its ARN where others are by an address.
The plugin `sagemaker-mlflow` signs each request with the job's role: there is no account and no secret."""

import logging
import re

from failure import TrainingError

# https://docs.aws.amazon.com/sagemaker/latest/dg/mlflow-track-experiments.html
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:(?P<kind>mlflow-tracking-server|mlflow-app)/[^/\s]+")
_PERMISSIONS = {"mlflow-tracking-server": "sagemaker-mlflow:*", "mlflow-app": "sagemaker:CallMlflowAppApi"}


def kind_of(tracking_uri: str) -> str | None:
    """`mlflow-tracking-server` or `mlflow-app`, None for the address of any other server."""
    found = _ARN.fullmatch(tracking_uri)
    return found["kind"] if found else None


def use(tracking_uri: str) -> None:
    """Name the server for the whole process, since the plugin's headers are of the process's server, not the client's.

    Raises TrainingError where the plugin is not installed.
    """
    import mlflow

    if kind_of(tracking_uri) is None:
        # The plugin takes any address for an ARN and logs at each request that it is none (aws/sagemaker-mlflow#15).
        logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)
        return
    try:
        import sagemaker_mlflow  # noqa: F401 (MLflow finds it by its entry points)
    except ImportError as error:
        raise TrainingError(
            f"The tracking URI {tracking_uri} is of a managed MLflow, which needs the package sagemaker-mlflow: "
            "keep it in source/requirements.txt."
        ) from error
    mlflow.set_tracking_uri(tracking_uri)


def refusal(tracking_uri: str, status: int) -> str | None:
    """What to do where a managed server refuses; None for any other server."""
    kind = kind_of(tracking_uri)
    if kind is None:
        return None
    return (
        f"The managed MLflow {tracking_uri} answered {status}: it refuses this job's role. Allow the role "
        f"{_PERMISSIONS[kind]} on it (the stack of cicd/ does for the ARN in mlflow_tracking_uri)."
    )
