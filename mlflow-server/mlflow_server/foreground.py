"""The server in this very process: its folder held, its port bound, its stores stopped when it ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from mlflow_server import serve, workers
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.local import Local, prepare, stop_stores
from mlflow_server.processes import Running, end
from mlflow_server.serving import LOCALHOST, Serving
from mlflow_server.settings import Settings


def serve_with_stores(home: Home, port: int, settings: Settings, ready: Callable[[Running, Local], None]) -> None:
    """Start the stores of a home and serve it until a signal; calls `ready` once requests are answered.

    Raises `ServerError` where another process serves the folder, and where a store or the server does not start.
    """
    serve.end_on_signals()
    home.make()
    with home.lock():
        try:
            local = prepare(home, settings)
            os.environ.update(local.environment)
            _serve(home, port, local.serving, lambda record: ready(record, local))
        finally:
            stop_stores(home)


def serve_home(home: Home, port: int, serving: Serving) -> None:
    """Serve a home whose stores are up until a signal: what `up` spawns to serve in the background."""
    home.make()
    with home.lock():
        _serve(home, port, serving, lambda _: None)


def _serve(home: Home, port: int, serving: Serving, ready: Callable[[Running], None]) -> None:
    left = home.last()
    # One that is there serves another folder, of which this is a copy.
    if left and left.process() is None:
        end(workers.orphans(left.pid, left.started))
    listener = _listener(home, port)
    record = home.enter(listener.getsockname()[1])
    try:
        serve.serve(serving, listener, lambda: ready(record), home.folder)
    finally:
        home.leave()


def _listener(home: Home, port: int) -> socket.socket:
    if port:
        return serve.bound(LOCALHOST, port)
    try:
        return serve.bound(LOCALHOST, home.last_port() or 0)
    except ServerError:
        return serve.bound(LOCALHOST, 0)
