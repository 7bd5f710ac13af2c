"""The port of the container, bound for one process or shared by several, each with a socket and a queue of its own.

The kernel deals connections out to the sockets; from a single one, the process that wakes first takes them all."""

import contextlib
import socket
from collections.abc import Iterator

from refusals import StartRefused


@contextlib.contextmanager
def reserved(host: str, port: int) -> Iterator[None]:
    """Keep `port` for this process and its forks. Raises StartRefused when another program has it."""
    # Sharing is by user, not by program: only a socket that does not share finds out whether the port is free.
    _bound(host, port, shared=False).close()
    with _bound(host, port, shared=True):
        yield


def shared_socket(host: str, port: int) -> socket.socket:
    """A socket on a reserved port: bound, and not listening yet, so that connections are refused until it does."""
    return _bound(host, port, shared=True)


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise StartRefused(f"Port {port} of {host} cannot be listened on: {error.strerror}.") from error
    return bound
