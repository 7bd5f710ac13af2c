"""Several serving processes on one socket: started together, looked after, and none outlives the one that started them.

uvicorn's supervisor replaces a worker that dies. A supervisor that is killed leaves its workers serving on the port:
here each of them waits for its parent's end, as its own.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import psutil

GRACE_SECONDS = 5
# A worker answers its supervisor while it loads MLflow, though not promptly on a machine that is busy.
_HEALTH_SECONDS = 60
_READY_SECONDS = 120
_LOOK_SECONDS = 0.05
_PARENT = "MLFLOW_SERVER_PARENT"


def serve(config: Callable[..., Any], workers: int, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve in `workers` processes until SIGTERM or SIGINT; calls `ready` once the first of them answers."""
    from uvicorn.supervisors import Multiprocess

    listener.listen()
    os.environ[_PARENT] = f"{os.getpid()} {psutil.Process().create_time()}"
    supervisor = Multiprocess(
        config(f"{__name__}:application", factory=True, workers=workers, timeout_worker_healthcheck=_HEALTH_SECONDS),
        sockets=[listener],
    )

    def announce() -> None:
        while not supervisor.should_exit.wait(_LOOK_SECONDS):
            if _answers(*listener.getsockname()):
                ready()
                return

    threading.Thread(target=announce, daemon=True).start()
    supervisor.run()


def application() -> Any:
    """The application of a worker, which ends with its parent."""
    from mlflow_server.application import create

    threading.Thread(target=_end_with_parent, daemon=True).start()
    return create()


def orphans(parent: int, started: float) -> list[psutil.Process]:
    """Workers whose parent, a process that was created at `started`, is gone, though they are not yet."""
    return [process for process in psutil.process_iter() if _parent_is(process, parent, started)]


def _answers(host: str, port: int) -> bool:
    """Whether a worker answers: asked as a client asks, since only the supervisor's own thread may ask its workers.

    The question waits on the socket for whichever worker is the first to serve.
    """
    connection = http.client.HTTPConnection(host, port, timeout=_READY_SECONDS)
    try:
        connection.request("GET", "/health")
        connection.getresponse()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    # uvicorn answers what it has begun and ends; where a request does not let it, the process ends all the same.
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(2 * GRACE_SECONDS)
    os._exit(1)


def _parent_is(process: psutil.Process, parent: int, started: float) -> bool:
    try:
        pid, _, created = process.environ().get(_PARENT, "").partition(" ")
    except (psutil.Error, OSError):
        return False
    return pid == str(parent) and abs(float(created) - started) < 1
