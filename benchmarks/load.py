"""A load generator: some connections that each send the same request again as soon as it is answered.

The generators on PyPI are built on HTTP clients that cost more a request than the server measured here."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import httptools
import uvloop

# How long after the end of the measurement the last answers may come.
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Load:
    """What the clients saw: every latency in seconds, over `seconds`."""

    latencies: tuple[float, ...]
    seconds: float

    @property
    def requests_per_second(self) -> float:
        """Answers over the time they took."""
        return len(self.latencies) / self.seconds

    @property
    def median_milliseconds(self) -> float:
        """The median latency in milliseconds."""
        return statistics.median(self.latencies) * 1000

    @property
    def p99_milliseconds(self) -> float:
        """The latency in milliseconds that one request in a hundred exceeds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000


def post(path: str, body: bytes, content_type: str = "application/json", authorization: str = "") -> bytes:
    """A POST as it goes over the wire; `authorization` is the value of that header."""
    login = f"Authorization: {authorization}\r\n" if authorization else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Accept: */*\r\n{login}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def generate(port: int, request: bytes | Callable[[int], Iterator[bytes]], connections: int, seconds: float) -> Load:
    """Send `request` over `connections` keep-alive connections to 127.0.0.1:`port` for `seconds`.

    Where each request must differ, `request` gives the endless requests of a connection by its number.
    Raises RuntimeError for an answer other than 200 and a connection that is closed, TimeoutError for no answer.
    """
    endless = (lambda _: itertools.repeat(request)) if isinstance(request, bytes) else request
    return uvloop.run(_generate(port, [endless(number) for number in range(connections)], seconds))


async def _generate(port: int, requests: list[Iterator[bytes]], seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    clients = [_Client(those, start + seconds, loop.create_future()) for those in requests]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), seconds + PATIENCE_SECONDS)
    latencies = tuple(latency for client in clients for latency in client.latencies)
    return Load(latencies, time.perf_counter() - start)


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], deadline: float, done: asyncio.Future[None]) -> None:
        self.done = done
        self.latencies: list[float] = []
        self._requests = requests
        self._deadline = deadline

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        request = next(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        status = self._parser.get_status_code()
        if status != 200:
            self._finish(RuntimeError(f"The server answered {status}."))
        elif now >= self._deadline:
            self._finish(None)
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or RuntimeError("The server closed a connection."))

    def _finish(self, error: Exception | None) -> None:
        if self.done.done():
            return
        self._transport.close()
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
