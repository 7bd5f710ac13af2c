"""The server's life: it opens its state, listens on the loopback address, and takes every process down with it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil

from local_aws import http_server, services  # noqa: F401 - registers the operations
from local_aws.cloud import Cloud, Settings
from local_aws.front import Front
from local_aws.lifecycle import STARTUP
from local_aws.moto_services import MotoServices
from local_aws.processes.keeper import Keeper
from local_aws.store import Store

_LOG = logging.getLogger(__name__)


class CannotServe(Exception):
    """A home or a port that no server can have now; the message is for the one who asked."""


def serve(home: Path, port: int, region: str, ready: Callable[[str], None]) -> None:
    """Run a cloud on the state in `home` until SIGTERM or SIGINT; `ready` is called with its address.

    `port` 0 takes the one this home had last, if it is free, or any free one. Raises `CannotServe` when `port` is
    taken, when another server serves `home`, and when `home` cannot be written or read.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    for noisy in ("botocore", "waitress.queue", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    _forget_the_callers_account()
    record = home / "server.json"
    with _usable(home):
        lock = _locked(home, record)
        listener = _listener(home / "port", port)
        settings = Settings(home=home.resolve(), port=listener.getsockname()[1], region=region)
        keeper = Keeper(home)
        if not keeper.has_rooms:
            _LOG.info("no private mounts here: jobs are given host paths in place of /opt/ml")
        cloud = Cloud(settings, Store(home / "state.sqlite"), keeper)
        server = http_server.create(Front(cloud, MotoServices(home)), listener)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        _write_record(record, {"endpoint_url": settings.endpoint_url, "region": region})
    threading.Thread(target=_announce, args=(cloud, ready), daemon=True).start()
    try:
        server.run()
    except SystemExit:
        _LOG.info("stopping")
    finally:
        cloud.stopping.set()
        keeper.close()
        record.unlink(missing_ok=True)
        lock.close()
    # Threads that wait for an answer of this very server, in the middle of an upload say, would be waited for.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _forget_the_callers_account() -> None:
    """Let profiles and settings of whoever starts the cloud have no part in what it does: they are of another AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@contextmanager
def _usable(home: Path) -> Iterator[None]:
    """What keeps a server from opening its home, in words: no space, no permission, a file that is no database."""
    try:
        yield
    except OSError as error:
        raise CannotServe(f"home {home} cannot be used: {error.strerror or error}") from error
    except sqlite3.DatabaseError as error:
        raise CannotServe(f"home {home} cannot be used: {error}") from error


def _locked(home: Path, record: Path) -> IO[str]:
    """The lock of a home, which this process has until it ends, however it ends."""
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        place = f" at {json.loads(record.read_text())['endpoint_url']}" if record.exists() else ""
        raise CannotServe(
            f"home {home} is served already by process {lock.read() or '(just started)'}{place}"
        ) from None
    if lock.tell():
        lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _write_record(path: Path, told: dict[str, Any]) -> None:
    """Say who serves, at once or not at all: `up` and `down` may read at any time."""
    process = psutil.Process()
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": process.pid, "started": process.create_time(), **told}))
    draft.replace(path)


def _listener(memory: Path, port: int) -> socket.socket:
    """A socket on `port`, or on the port of the last time: addresses that people and endpoints noted down stay true."""
    noted = memory.read_text() if port == 0 and memory.exists() else ""
    try:
        listener = socket.create_server(("127.0.0.1", int(noted) if noted.isdecimal() else port))
    except OSError as error:
        if port != 0:
            raise CannotServe(
                f"Port {port} on 127.0.0.1 cannot be had ({error.strerror}): name another with --port."
            ) from error
        listener = socket.create_server(("127.0.0.1", 0))
    memory.write_text(str(listener.getsockname()[1]))
    return listener


def _stop(number: int, _: object) -> None:
    raise SystemExit(0)


def _announce(cloud: Cloud, ready: Callable[[str], None]) -> None:
    try:
        for function in STARTUP:
            function(cloud)
        ready(cloud.settings.endpoint_url)
    except Exception:
        # Whoever started the server waits for the word that it listens, and would wait for ever.
        _LOG.exception("the state in %s cannot be taken up", cloud.settings.home)
        logging.shutdown()
        os._exit(1)
