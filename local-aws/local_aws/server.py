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

import waitress
from waitress.server import BaseWSGIServer

from local_aws import services  # noqa: F401 - registers the operations
from local_aws.cloud import Cloud, Settings
from local_aws.front import Front
from local_aws.lifecycle import STARTUP
from local_aws.moto_services import MotoServices
from local_aws.processes.keeper import Keeper
from local_aws.store import Store

_LOG = logging.getLogger(__name__)
_THREADS = 64
_BODY_LIMIT = 64 * 1024**3


def serve(home: Path, port: int, region: str, ready: Callable[[str], None]) -> None:
    """Run a cloud on the state in `home` until SIGTERM or SIGINT; `ready` is called with its address.

    `port` 0 takes a free one. Raises `OSError` when the port is taken.
    """
    home.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    for noisy in ("botocore", "waitress.queue", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    listener = socket.create_server(("127.0.0.1", port))
    settings = Settings(home=home.resolve(), port=listener.getsockname()[1], region=region)
    keeper = Keeper(home / "keeper.log")
    cloud = Cloud(settings, Store(home / "state.sqlite"), keeper)
    server: BaseWSGIServer = waitress.create_server(
        Front(cloud, MotoServices(home)),
        sockets=[listener],
        threads=_THREADS,
        max_request_body_size=_BODY_LIMIT,
        connection_limit=1000,
        ident=None,
    )
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


def _stop(number: int, _: object) -> None:
    raise SystemExit(0)


def _announce(cloud: Cloud, ready: Callable[[str], None]) -> None:
    for function in STARTUP:
        function(cloud)
    ready(cloud.settings.endpoint_url)
