"""The server in the background: started until it answers, stopped with every process it has, asked how it is."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time

import psutil

from mlflow_server.errors import ServerError
from mlflow_server.home import Home, Record
from mlflow_server.local import Local, prepare, stop_stores, write_client_environment
from mlflow_server.serving import options_environment
from mlflow_server.settings import Settings

_START_SECONDS = 120
_STOP_SECONDS = 15
_LOOK_SECONDS = 0.05
_LOG_LINES = 8


def start(home: Home, port: int, settings: Settings) -> tuple[Record, Local | None]:
    """Start a server on `home` and wait until it answers; one that runs already is left as it is (None).

    Raises `ServerError` with the end of the server's log where it ends or stays silent, and where one runs already
    on a port other than the one asked for.
    """
    running = home.running()
    if running and port not in (0, running.port):
        raise ServerError(
            f"The server of {home.folder} is up on port {running.port}, not {port}: "
            "stop it with `mlflow-server down` before you start it there."
        )
    if running and healthy(running):
        return running, None
    home.make()
    local = prepare(home, settings)
    said_before = home.log.stat().st_size if home.log.exists() else 0
    process = None if running else _spawn(home, port, local)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        record = home.running()
        if record and healthy(record):
            write_client_environment(home, local, record.tracking_uri)
            return record, local
        if process is not None and process.poll() is not None:
            raise ServerError(f"The server did not come up:\n{_said(home, said_before)}")
        time.sleep(_LOOK_SECONDS)
    if process is not None:
        _end(psutil.Process(process.pid))
    raise ServerError(f"The server did not answer within {_START_SECONDS} seconds:\n{_said(home, said_before)}")


def stop(home: Home) -> bool:
    """Stop the server of `home` with all its processes, and its stores; False when the server did not run."""
    record = home.running()
    process = record.process() if record else None
    if process is not None:
        _end(process)
        home.leave()
    if home.folder.exists():
        stop_stores(home)
    return process is not None


def healthy(record: Record) -> bool:
    """Whether the server answers that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", record.port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spawn(home: Home, port: int, local: Local) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mlflow_server", "serve", "--home", str(home.folder), "--port", str(port)]
    environment = {**os.environ, **local.environment, **options_environment(local.serving)}
    with home.log.open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _end(process: psutil.Process) -> None:
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        _signal(member.terminate)
    _, left = psutil.wait_procs(family, timeout=_STOP_SECONDS)
    for member in left:
        _signal(member.kill)
    psutil.wait_procs(left, timeout=_STOP_SECONDS)


def _signal(send: object) -> None:
    if callable(send):
        try:
            send()
        except psutil.NoSuchProcess:
            return


def _said(home: Home, since: int) -> str:
    with home.log.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:]) or f"it said nothing (log: {home.log})"
