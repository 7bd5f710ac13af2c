"""`logs`: what the server, its database or its object store said, and what they go on to say."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import click

from mlflow_server.commands.options import home_options
from mlflow_server.condition import services
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.settings import Settings

_LOOK_SECONDS = 0.2


@click.command()
@home_options
@click.option("--service", type=click.Choice(["server", "database", "objects"]), default="server", show_default=True)
@click.option("--lines", type=click.IntRange(0), default=100, show_default=True, help="How many of the last lines.")
@click.option("--follow", is_flag=True, help="Go on with what is said from now on, until Ctrl-C.")
def logs(home: Home, service: str, lines: int, follow: bool) -> None:
    """Show the end of a log."""
    path = _path(home, service)
    if not path.exists():
        raise ServerError(f"There is no log {path}: nothing was started there in the background yet.")
    try:
        read = _end(path, lines)
        while follow:
            time.sleep(_LOOK_SECONDS)
            read = _since(path, read)
    except KeyboardInterrupt:
        if not follow:
            raise


def _path(home: Home, service: str) -> Path:
    if service == "server":
        return home.log
    started = services(home, Settings.kept_in(home.folder))
    if service not in started:
        raise ServerError(
            f"The server of {home.folder} has no {service} of its own that says anything: "
            "only `up --postgres` starts a database and an object store."
        )
    return started[service].log


def _end(path: Path, lines: int) -> int:
    with path.open("rb") as log:
        for line in deque(log, maxlen=lines):
            click.echo(line.rstrip(b"\n").decode(errors="replace"))
        return log.tell()


def _since(path: Path, read: int) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as log:
        # A log that is shorter than what was read of it has begun anew.
        log.seek(read if path.stat().st_size >= read else 0)
        click.echo(log.read().decode(errors="replace"), nl=False)
        return log.tell()
