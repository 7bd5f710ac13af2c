"""What the commands share: how errors are shown, and the folder a command is about."""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mlflow_server.client import Client, Login
from mlflow_server.errors import ServerError
from mlflow_server.home import Home

_UNUSABLE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT))


class Commands(click.Group):
    """Commands whose `ServerError`, and a place that cannot be written to, is one sentence and ends them with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ServerError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno not in _UNUSABLE:
                raise
            place = error.filename or "The folder of the server"
            raise click.ClickException(
                f"{place} cannot be used ({error.strerror}): make room on its disk, have it writable for this user, "
                "or name another folder with --home."
            ) from error


def home_of(_: click.Context, __: click.Parameter, folder: Path | None) -> Home | None:
    """The home that an option names."""
    return Home(folder.absolute()) if folder else None


class Folder(click.Path):
    """A folder that is named: an empty name, as of a variable that is not set, would be the current one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty and names no folder; `.` is the current one.", param, ctx)
        return super().convert(value, param, ctx)


home_option = click.option(
    "--home",
    type=Folder(path_type=Path, file_okay=False),
    default=Path(".local/mlflow"),
    show_default=True,
    envvar="MLFLOW_SERVER_HOME",
    callback=home_of,
    help="Folder of the database, the artifacts and the log.",
)


def home_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that name a home, or within it that of a project with a server of its own."""

    @home_option
    @click.option("--project", help="The server of this isolated project.")
    @functools.wraps(command)
    def with_home(home: Home, project: str | None, **options: Any) -> Any:
        return command(home=_isolated(home, project) if project else home, **options)

    return with_home


tracking_uri_option = click.option(
    "--tracking-uri", help="A server elsewhere, asked as MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD."
)


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that name a server and the account to ask it as; the command is given a `Client`."""

    @home_option
    @tracking_uri_option
    @click.option("--project", help="In this project; one with a server of its own has users of its own.")
    @functools.wraps(command)
    def with_client(home: Home, tracking_uri: str | None, project: str | None, **options: Any) -> Any:
        if project and not tracking_uri and home.project(project).folder.is_dir():
            return command(client=client_of(home.project(project), None), **options)
        return command(client=replace(client_of(home, tracking_uri), workspace=project), **options)

    return with_client


def client_of(home: Home, tracking_uri: str | None) -> Client:
    """Asks the server of a home as its administrator, or another as the account that the environment names."""
    return Client(Login.of_environment(tracking_uri, os.environ) if tracking_uri else Login.of_home(home))


def _isolated(home: Home, project: str) -> Home:
    isolated = home.project(project)
    if not isolated.folder.is_dir():
        there = home.projects()
        known = f"there are {', '.join(there)}" if there else "there is none"
        raise ServerError(
            f"No project {project} has a server of its own in {home.folder}: {known}. "
            f"`mlflow-server create-project {project} --isolated` makes it."
        )
    return isolated
