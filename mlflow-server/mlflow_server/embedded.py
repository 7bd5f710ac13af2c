"""The embedded server itself: MLflow's own application in this process, on SQLite and local files.

`mlflow server` loads MLflow twice, once for its command line and once for each worker, and does not set TCP_NODELAY
with more than one of them. Here it is loaded once and served by one worker on uvloop and httptools.
"""

from __future__ import annotations

import gc
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable

from mlflow_server.errors import ServerError
from mlflow_server.home import Home, Record

_HOST = "127.0.0.1"
_GRACE_SECONDS = 5

# Read by MLflow: https://mlflow.org/docs/latest/self-hosting/security/network
_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1,127.0.0.1:*,localhost,localhost:*",
    "MLFLOW_ENABLE_WORKSPACES": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


def serve(home: Home, port: int, ready: Callable[[Record], None]) -> None:
    """Serve a home until SIGTERM or SIGINT; calls `ready` once requests are answered.

    `port` 0 takes the port of last time, or a free one where that is taken. Raises `ServerError` where the port
    cannot be had, the home is served already, or its database does not fit this version of MLflow.
    """
    home.make()
    with home.lock(), _listener(home, port) as listener:
        record = home.enter(listener.getsockname()[1])
        # uvicorn ends in order and then raises the signal again, which must not cut short what follows here.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        try:
            _serve(home, listener, lambda: ready(record))
        finally:
            home.leave()


def _listener(home: Home, port: int) -> socket.socket:
    if port:
        return _bound(port)
    try:
        return _bound(home.last_port() or 0)
    except ServerError:
        return _bound(0)


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"Port {port} on {_HOST} cannot be had ({error.strerror}): stop what uses it, or name another with --port."
        ) from error
    return listener


def _serve(home: Home, listener: socket.socket, ready: Callable[[], None]) -> None:
    os.environ.update(_ENVIRONMENT)
    os.environ["_MLFLOW_SGI_NAME"] = "uvicorn"
    os.environ["_MLFLOW_SERVER_BOOT_ID"] = secrets.token_hex(16)
    # MLflow reads its environment while it is loaded, and loading it is most of the time to the first answer: a
    # quarter of that is spent looking for garbage among modules that stay.
    gc.disable()
    import uvicorn
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from mlflow.server import constants
    from sqlalchemy.exc import SQLAlchemyError

    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = home.database_uri
    os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = home.database_uri
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = home.artifacts.as_uri()
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    gc.freeze()
    gc.enable()
    try:
        initialize_backend_stores(home.database_uri, home.database_uri, "mlflow-artifacts:/")
    except (MlflowException, SQLAlchemyError, CommandError) as error:
        raise ServerError(f"The database in {home.folder} cannot be used by this MLflow: {error}") from error

    class AnnouncedServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    AnnouncedServer(config).run(sockets=[listener])
