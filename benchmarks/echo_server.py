"""The endpoint's server with an application that answers with what it was sent: what HTTP alone costs.

Run with serving/ on the path: `python -m benchmarks.echo_server PORT`."""

import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from bound_sockets import reserved
from http_server import run_app
from worker_processes import run_in_processes

Message = MutableMapping[str, Any]


async def echo(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer any request with its body."""
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Echo on 127.0.0.1 in one process a core."""
    host, port = "127.0.0.1", int(sys.argv[1])
    with reserved(host, port):
        run_in_processes(len(os.sched_getaffinity(0)), partial(run_app, echo, host, port))


if __name__ == "__main__":
    main()
