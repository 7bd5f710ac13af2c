"""The application that every worker serves: MLflow's own, with its accounts where the server asks for a password."""

from __future__ import annotations

import os
from typing import Any

from mlflow_server import graphql_requests, guard, login
from mlflow_server.client_versions import noting_clients
from mlflow_server.request_threads import RequestThreads
from mlflow_server.serving import CONFINED


def create() -> Any:
    """The ASGI application of MLflow, as the environment that `Serving` made describes it."""
    from mlflow_server import artifact_route, database_login, store_faults, tracking_store

    database_login.install()
    tracking_store.register()
    artifact_route.through_the_server()
    if "MLFLOW_AUTH_CONFIG_PATH" not in os.environ:
        from mlflow.server.fastapi_app import app

        store_faults.install(app)
        graphql_requests.install()
        return noting_clients(RequestThreads(app))
    from mlflow.server.auth import create_app

    application = create_app()
    login.note_failures()
    store_faults.install(application)
    graphql_requests.install()
    guard.install(
        application,
        destination=os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"],
        projects=os.environ["MLFLOW_ENABLE_WORKSPACES"] == "true",
        confined=os.environ[CONFINED] == "true",
    )
    return noting_clients(RequestThreads(login.Login(application)))
