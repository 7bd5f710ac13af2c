"""HTTP for a client that misbehaves: bounds on the size of a request's head and on the time it takes to arrive.

uvicorn bounds neither when it parses with httptools."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn import Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
# SageMaker gives a container this long for the whole answer: https://docs.aws.amazon.com/sagemaker/latest/dg/hosting-faqs.html
MAX_ARRIVAL_SECONDS = 60.0


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, closing a connection that sends an endless head (431) or an endlessly slow request (408)."""

    _head_bytes = 0
    _in_head = True
    _arriving_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection opened without a word is a request that is slow to arrive."""
        super().connection_made(transport)
        self._arriving_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Count the head's bytes as they come."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._close_with(
                b"431 Request Header Fields Too Large", f"The head is larger than {MAX_HEAD_BYTES // 1024} KB."
            )

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        super().on_message_begin()
        if self._arriving_since is None:
            self._arriving_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The head is there; what follows is the body, which the application counts."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._arriving_since = None
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def close_if_late(self, now: float) -> None:
        """Close the connection if its request has taken too long to arrive; `now` is the loop's time in seconds."""
        if self._arriving_since is not None and now - self._arriving_since > MAX_ARRIVAL_SECONDS:
            self._close_with(
                b"408 Request Timeout", f"The request did not arrive within {MAX_ARRIVAL_SECONDS:.0f} seconds."
            )

    def _close_with(self, status: bytes, message: str) -> None:
        if self.transport.is_closing():
            return
        body = b'{"message": "%s"}' % message.encode()
        self.transport.write(
            b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, len(body), body)
        )
        self.transport.close()


def closing_late_connections(server: Server) -> Callable[[], Awaitable[None]]:
    """The callback by which uvicorn, every few seconds, closes the connections whose request is late."""

    async def close() -> None:
        now = asyncio.get_running_loop().time()
        for connection in list[Any](server.server_state.connections):
            connection.close_if_late(now)

    return close
