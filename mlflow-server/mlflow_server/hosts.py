"""The hosts and web origins that a server answers: named ones, and no pattern that lets in whoever points a name here.

A name that anybody can register is no door: DNS rebinding has a browser call this server by it.
https://mlflow.org/docs/latest/self-hosting/security/network
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlflow_server.errors import ServerError

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
# A star stands for what is below a domain of its own, as `*.team.example`, which `*.example` is not.
_NAME = rf"({_LABEL}(\.{_LABEL})*\.?|\*(\.{_LABEL}){{2,}}|\[[0-9A-Fa-f:.]+\])"
_HOST = re.compile(rf"{_NAME}(:(\d{{1,5}}|\*))?")
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_NAME}(:(\d{{1,5}}|\*))?")


def check(hosts: Iterable[str], origins: Iterable[str]) -> None:
    """Raise `ServerError` for a host or an origin that is no name, or a pattern that strangers could match."""
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ServerError(
                f"--allowed-hosts {host!r} is refused, since the check of the Host header is never turned off: "
                "name each host (mlflow.example), or those below one domain (*.team.example)."
            )
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ServerError(
                f"--cors-allowed-origins {origin!r} is refused, since pages of every site could call this server: "
                "name each origin (https://ui.example), or those below one domain (https://*.team.example)."
            )


def with_any_port(hosts: Iterable[str]) -> list[str]:
    """MLflow compares the Host header with its port, which a client leaves out only where it is the scheme's."""
    return [form for host in hosts for form in _forms(host)]


def _forms(host: str) -> tuple[str, ...]:
    # Where there is a star, MLflow reads brackets as a set of characters.
    pattern = host.replace("[", "[[]", 1)
    if ":" in host.rpartition("]")[2]:
        return (pattern if "*" in host else host,)
    return (host, f"{pattern}:*")
