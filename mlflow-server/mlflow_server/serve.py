"""The serving process: MLflow's application on uvicorn, in this process or in several workers.

`mlflow server` loads MLflow twice, once for its command line and once for each worker, and does not set TCP_NODELAY
with more than one of them. Here one worker is this very process, and all are on uvloop and httptools, which do set it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow_server import artifact_store, database_login, encryption, preflight, request_threads, workers
from mlflow_server.database import foreign_keys
from mlflow_server.database.url import checked
from mlflow_server.errors import ServerError
from mlflow_server.passing_folder import passing_folder
from mlflow_server.serving import Serving

_PROJECTS_THERE = "Cannot disable workspaces"


def serve(serving: Serving, listener: socket.socket, ready: Callable[[], None], private: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; calls `ready` once requests are answered.

    The file that tells MLflow where its accounts are goes to `private`, or to a folder that lasts as long as this,
    which then has the counters too where no place for them is named.
    Raises `ServerError` where the database does not fit this version of MLflow.
    """
    end_on_signals()
    lasting = nullcontext(private) if private else passing_folder()
    with lasting as folder, closing(listener):
        if serving.accounts and not private:
            serving = replace(serving, metrics=serving.metrics or folder / "metrics")
        os.environ.update(serving.environment())
        request_threads.without_pool(os.environ)
        os.environ.update(serving.accounts_environment(Path(folder)))
        if serving.metrics:
            _forget_counts(serving.metrics)
        _prepare(serving)
        if serving.workers == 1:
            _serve_here(listener, ready)
        else:
            workers.serve(_config, serving.workers, listener, ready)


def end_on_signals() -> None:
    """Have SIGTERM and SIGINT end this process in order."""
    # uvicorn ends in order and then raises the signal again, which must not cut short what follows.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


def bound(host: str, port: int) -> socket.socket:
    """A socket on `host` and `port`; raises `ServerError` where the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"Port {port} on {host} cannot be had ({error.strerror}): stop what uses it, or name another with --port."
        ) from error
    return listener


def _prepare(serving: Serving) -> None:
    """Look at the stores, load MLflow, and make the tables and the first administrator where there are none."""
    checked(serving.backend_store_uri)
    artifact_store.check(serving.artifacts_destination)
    database_login.install()
    # MLflow reads its environment while it is loaded, and loading it is most of the time to the first answer: a
    # quarter of that is spent looking for garbage among modules that stay.
    gc.disable()
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from mlflow.server.handlers import initialize_backend_stores
    from sqlalchemy.exc import SQLAlchemyError

    gc.freeze()
    gc.enable()
    try:
        with preflight.passed(serving):
            initialize_backend_stores(serving.backend_store_uri, serving.backend_store_uri, "mlflow-artifacts:/")
            if serving.encryption:
                encryption.take_over()
            if serving.accounts:
                from mlflow.server.auth import bootstrap_admin_user

                with foreign_keys.named_by_the_database():
                    bootstrap_admin_user()
    except MlflowException as error:
        if not serving.projects and _PROJECTS_THERE in error.message:
            raise ServerError(
                "The database holds projects, which this server was told not to keep apart: start it with --projects "
                "(MLFLOW_ENABLE_WORKSPACES=true), or move their experiments to the workspace `default`."
            ) from error
        raise ServerError(f"The database cannot be used by this MLflow: {error}") from error
    except (SQLAlchemyError, CommandError) as error:
        raise ServerError(f"The database cannot be used by this MLflow: {error}") from error


def _forget_counts(metrics: Path) -> None:
    """Counters begin at zero with the server: those of workers that ended would be added up with the new ones'."""
    for counts in metrics.glob("*.db"):
        counts.unlink()


def _serve_here(listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    from mlflow_server.application import create

    class AnnouncedServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    AnnouncedServer(_config(create())).run(sockets=[listener])


def _config(app: Any, **options: Any) -> Any:
    import uvicorn

    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=workers.GRACE_SECONDS,
        **options,
    )
