"""waitress, set up for what AWS clients send: large bodies, many connections, and `Expect` before nothing at all."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import waitress
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask

_THREADS = 64
_BODY_LIMIT = 64 * 1024**3
_METADATA_WITH_UNDERSCORES = re.compile(rb"(?im)^(x-amz-meta-[\w-]*_[\w-]*):([^\r\n]*)")
_AMAZON_HEADER = re.compile(rb"(?m)^X-Amz-[^:\r\n]+")


class _Parser(HTTPRequestParser):
    """Repairs two things of waitress 3.0.2.

    It waits for ever for the body of a request that expects a continuation and has no body, which is what boto3 sends
    when it puts an empty object; and it drops the headers of user metadata whose names have underscores.
    """

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if not self.chunked and self.content_length == 0:
            self.expect_continue = False
        found = _METADATA_WITH_UNDERSCORES.findall(header_plus)
        self.kept_names = {environ_key_for_header(name.decode()): name.decode() for name, _ in found}
        for name, value in found:
            self.headers[name.decode().upper().replace("-", "_")] = value.decode("latin-1").strip()


class _Task(WSGITask):
    """Gives moto the names that it keeps, and sends S3's own headers in lower case: clients read metadata by name."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = self.request.kept_names
        return environ

    def build_response_header(self) -> bytes:
        header: bytes = super().build_response_header()
        return _AMAZON_HEADER.sub(lambda name: name.group().lower(), header)


class _Channel(HTTPChannel):
    parser_class = _Parser
    task_class = _Task


def create(application: Callable[..., Any], listener: socket.socket) -> BaseWSGIServer:
    """A server for a WSGI application on a socket that listens already; `run` serves until it is interrupted."""
    server: BaseWSGIServer = waitress.create_server(
        application,
        sockets=[listener],
        threads=_THREADS,
        max_request_body_size=_BODY_LIMIT,
        connection_limit=1000,
        ident=None,
    )
    server.channel_class = _Channel
    return server
