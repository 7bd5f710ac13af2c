"""The application that every worker serves: MLflow's own, with its accounts where the server asks for a password."""

from __future__ import annotations

import os
from typing import Any

from mlflow_server import guard
from mlflow_server.request_threads import RequestThreads


def create() -> Any:
    """The ASGI application of MLflow, as the environment that `Serving` made describes it."""
    from mlflow_server import tracking_store

    tracking_store.register()
    if "MLFLOW_AUTH_CONFIG_PATH" not in os.environ:
        from mlflow.server.fastapi_app import app

        return RequestThreads(app)
    from mlflow.server.auth import create_app

    application = create_app()
    guard.install(
        application,
        destination=os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"],
        projects=os.environ["MLFLOW_ENABLE_WORKSPACES"] == "true",
    )
    return RequestThreads(application)
