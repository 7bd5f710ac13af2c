"""The server in the background: started until it answers, stopped with every process it has, asked how it is."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from base64 import b64encode

import psutil

from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.local import Local, prepare, stop_stores, write_client_environment
from mlflow_server.processes import Running, end, family
from mlflow_server.serving import Accounts, options_environment
from mlflow_server.settings import Settings

_START_SECONDS = 120
_LOOK_SECONDS = 0.05
_LOG_LINES = 8
_REFUSAL = "Error: "


def start(home: Home, port: int, settings: Settings) -> tuple[Running, Local | None]:
    """Start a server on `home` and wait until it answers; of one that runs already (None) only stores that ended.

    The settings are kept once it answers. Raises `ServerError` with what the server said where it ends or stays
    silent, and where one runs already on a port or with settings other than those asked for.
    """
    home.make()
    with home.changing():
        running = home.running()
        if running and healthy(running):
            _agree(home, running, port, settings)
            prepare(home, settings)
            return running, None
        try:
            local = prepare(home, settings)
            record = _started(home, port, local, running)
            settings.keep_in(home.folder)
            write_client_environment(home, local, record.tracking_uri)
        except BaseException:
            if running is None:
                _stop_server(home)
                stop_stores(home)
            raise
        return record, local


def stop(home: Home) -> bool:
    """Stop the server of `home` with all its processes, and its stores; False when nothing of it ran."""
    if not home.folder.is_dir():
        return False
    # Before the stores that they share.
    projects = [stop(home.project(name)) for name in home.projects()]
    with home.changing():
        stopped = _stop_server(home)
        return any((stop_stores(home), stopped, *projects))


def healthy(record: Running) -> bool:
    """Whether the server answers that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", record.port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def logs_in(record: Running, accounts: Accounts) -> bool:
    """Whether the administrator has this password: a database of one's own may have had accounts before."""
    login = b64encode(f"{accounts.admin}:{accounts.password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", record.port, timeout=30)
    try:
        connection.request("GET", "/version", headers={"Authorization": f"Basic {login}"})
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()


def _stop_server(home: Home) -> bool:
    record = home.running()
    process = record.process() if record else None
    if process is None:
        return False
    end(family(process))
    home.leave()
    return True


def _agree(home: Home, running: Running, port: int, settings: Settings) -> None:
    if port not in (0, running.port):
        raise ServerError(
            f"The server of {home.folder} is up on port {running.port}, not {port}: "
            "stop it with `mlflow-server down` before you start it there."
        )
    if settings != Settings.kept_in(home.folder):
        raise ServerError(
            f"The server of {home.folder} is up with other options than these: "
            "stop it with `mlflow-server down` before you start it with them."
        )


def _started(home: Home, port: int, local: Local, running: Running | None) -> Running:
    said_before = home.log.stat().st_size if home.log.exists() else 0
    process = None if running else _spawn(home, port, local)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            record = home.running()
            if record and healthy(record):
                return record
            if process is not None and process.poll() is not None:
                raise ServerError(_reason(home, said_before))
            time.sleep(_LOOK_SECONDS)
        said = _end_of(_said(home, said_before))
        raise ServerError(f"The server did not answer within {_START_SECONDS} seconds (log: {home.log}):\n{said}")
    except BaseException:
        if process is not None and process.poll() is None:
            end(family(psutil.Process(process.pid)))
        raise


def _spawn(home: Home, port: int, local: Local) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mlflow_server", "serve", "--home", str(home.folder), "--port", str(port)]
    environment = {**os.environ, **local.environment, **options_environment(local.serving)}
    with home.log.open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _reason(home: Home, since: int) -> str:
    """What the server refused to start for: its own sentence, or the end of what it said."""
    said = _said(home, since)
    _, refused, sentence = f"\n{said}".rpartition(f"\n{_REFUSAL}")
    return sentence if refused else f"The server did not come up (log: {home.log}):\n{_end_of(said)}"


def _said(home: Home, since: int) -> str:
    with home.log.open("rb") as log:
        log.seek(since)
        return log.read().decode(errors="replace").rstrip()


def _end_of(said: str) -> str:
    return "\n".join(said.splitlines()[-_LOG_LINES:]) or "it said nothing"
