"""What the commands share: how errors are shown, and the folder a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlflow_server.errors import ServerError
from mlflow_server.home import Home


class Commands(click.Group):
    """Commands whose `ServerError` is shown as one sentence and ends them with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ServerError as error:
            raise click.ClickException(str(error)) from error


def home_of(_: click.Context, __: click.Parameter, folder: Path | None) -> Home | None:
    """The home that an option names."""
    return Home(folder.absolute()) if folder else None


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".local/mlflow"),
    show_default=True,
    envvar="MLFLOW_SERVER_HOME",
    callback=home_of,
    help="Folder of the database, the artifacts and the log.",
)
