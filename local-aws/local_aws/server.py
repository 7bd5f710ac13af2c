"""The server's life: it opens its state, listens on the loopback address, and takes every process down with it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from local_aws import http_server, services  # noqa: F401 - registers the operations
from local_aws.cloud import Cloud, Settings
from local_aws.front import Front
from local_aws.lifecycle import STARTUP
from local_aws.moto_services import MotoServices
from local_aws.processes.keeper import Keeper
from local_aws.store import Store

_LOG = logging.getLogger(__name__)


def serve(home: Path, port: int, region: str, ready: Callable[[str], None]) -> None:
    """Run a cloud on the state in `home` until SIGTERM or SIGINT; `ready` is called with its address.

    `port` 0 takes the one this home had last, if it is free, or any free one. Raises `OSError` when `port` is taken.
    """
    home.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    for noisy in ("botocore", "waitress.queue", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    listener = _listener(home / "port", port)
    settings = Settings(home=home.resolve(), port=listener.getsockname()[1], region=region)
    keeper = Keeper(home)
    if not keeper.has_rooms:
        _LOG.info("no private mounts here: jobs are given host paths in place of /opt/ml")
    cloud = Cloud(settings, Store(home / "state.sqlite"), keeper)
    server = http_server.create(Front(cloud, MotoServices(home)), listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    record = home / "server.json"
    record.write_text(json.dumps({"pid": os.getpid(), "endpoint_url": settings.endpoint_url, "region": region}))
    threading.Thread(target=_announce, args=(cloud, ready), daemon=True).start()
    try:
        server.run()
    except SystemExit:
        _LOG.info("stopping")
    finally:
        cloud.stopping.set()
        keeper.close()
        record.unlink(missing_ok=True)


def _listener(memory: Path, port: int) -> socket.socket:
    """A socket on `port`, or on the port of the last time: addresses that people and endpoints noted down stay true."""
    last = int(memory.read_text()) if port == 0 and memory.exists() else port
    try:
        listener = socket.create_server(("127.0.0.1", last))
    except OSError:
        if port != 0:
            raise
        listener = socket.create_server(("127.0.0.1", 0))
    memory.write_text(str(listener.getsockname()[1]))
    return listener


def _stop(number: int, _: object) -> None:
    raise SystemExit(0)


def _announce(cloud: Cloud, ready: Callable[[str], None]) -> None:
    for function in STARTUP:
        function(cloud)
    ready(cloud.settings.endpoint_url)
