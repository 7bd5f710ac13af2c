"""How many requests a worker works on at a time, and how many database connections they may need together.

MLflow 3.17 starts 40 threads a worker for connections that end at 15, of which one request takes up to two: 25 clients
of one worker wait for each other until the pool gives up after 30 seconds and answers 400. More threads than these do
not answer sooner either, there being one interpreter lock.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

THREADS = 10
_CONNECTIONS_OF_A_REQUEST = 3

# https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
ENVIRONMENT = {
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(THREADS),
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(THREADS * (_CONNECTIONS_OF_A_REQUEST - 1)),
}


def without_pool(environment: MutableMapping[str, str]) -> None:
    """Drop the pool's sizes where the environment asks for none: SQLAlchemy refuses sizes of a pool that is not there.

    A database that is to pause when nobody works (Aurora) may have no connection that nobody uses.
    """
    if environment.get("MLFLOW_SQLALCHEMYSTORE_POOLCLASS") == "NullPool":
        for name in ENVIRONMENT:
            environment.pop(name, None)


class RequestThreads:
    """An ASGI application that is served with `THREADS` threads; further requests wait their turn."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":  # the first call, in the loop that serves
            from anyio import to_thread

            to_thread.current_default_thread_limiter().total_tokens = THREADS
        await self._app(scope, receive, send)
