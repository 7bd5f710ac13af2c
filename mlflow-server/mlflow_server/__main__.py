"""The command line: `mlflow-server up`, `down`, `status`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlflow_server import background, embedded
from mlflow_server.errors import ServerError
from mlflow_server.home import Home, Record

_DOWN, _SILENT = 3, 4


def _home_of(_: click.Context, __: click.Parameter, folder: Path) -> Home:
    return Home(folder.absolute())


_home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".local/mlflow"),
    show_default=True,
    envvar="MLFLOW_SERVER_HOME",
    callback=_home_of,
    help="Folder of the database, the artifacts and the log.",
)


@click.group()
def main() -> None:
    """The MLflow tracking server on this machine: SQLite and local files, served on 127.0.0.1."""


@main.command()
@_home
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; 0 takes the one it had last, or a free one.",
)
@click.option("--foreground", is_flag=True, help="Serve here until Ctrl-C instead of in the background.")
def up(home: Home, port: int, foreground: bool) -> None:
    """Start the server, and print its tracking URI once it answers."""
    try:
        if foreground:
            embedded.serve(home, port, ready=_announce)
        else:
            _announce(background.start(home, port))
    except ServerError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@_home
def down(home: Home) -> None:
    """Stop the server and all its processes; what it knows stays."""
    click.echo("stopped" if background.stop(home) else "not running")


@main.command()
@_home
def status(home: Home) -> None:
    """Say whether the server answers, and where."""
    record = home.running()
    if record is None:
        click.echo("down")
        sys.exit(_DOWN)
    if not background.healthy(record):
        click.echo(f"started but not answering: {record.tracking_uri} (process {record.pid}, log {home.log})")
        sys.exit(_SILENT)
    _announce(record)


def _announce(record: Record) -> None:
    click.echo(f"up: {record.tracking_uri} (process {record.pid})")


if __name__ == "__main__":
    main()
