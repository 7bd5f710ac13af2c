"""`backup`, `restore` and `upgrade`: what the person does who keeps a server over the years."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource
from rich.filesize import decimal

from mlflow_server import database_login, serving
from mlflow_server.commands.options import home_option
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.upkeep.manifest import Manifest

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@home_option
@click.argument("archive", type=_file, required=False)
def backup(home: Home, archive: Path | None) -> None:
    """Write everything the server knows to one ARCHIVE, while it runs or not.

    Without a name it goes to the folder `backups` of the home. The archive holds the server's secrets: keep it as
    you keep them.
    """
    from mlflow_server.upkeep.backup import back_up

    now = datetime.now(UTC)
    path = archive or home.folder / "backups" / f"mlflow-{now:%Y%m%dT%H%M%SZ}.zip"
    _describe(path, back_up(home, path.absolute(), now))


@click.command()
@home_option
@click.argument("archive", type=_file)
@click.option("--backend-store-uri", help="Another, empty database for the backup of a database of your own.")
def restore(home: Home, archive: Path, backend_store_uri: str | None) -> None:
    """Make of an empty folder the server that ARCHIVE is a backup of; `up` then serves it."""
    from mlflow_server.upkeep.restore import restore as bring_back

    manifest = bring_back(archive, home, backend_store_uri)
    click.echo(f"restored: {home.folder}, as it was at {manifest.source.made_at} with MLflow {manifest.source.mlflow}")
    _say_left_out(manifest)


@click.command()
@home_option
@click.option("--backend-store-uri", envvar=serving.BACKEND, help="A database that no home here is served from.")
@click.option("--archive", type=_file, help="File of the backup before it; a new one in the home by default.")
@click.option("--no-backup", is_flag=True, help="Without one: there is a snapshot, or the data may be lost.")
@click.option("--clients-may-break", is_flag=True, help="Even if clients of another major version called lately.")
@click.pass_context
def upgrade(
    ctx: click.Context,
    home: Home,
    backend_store_uri: str | None,
    archive: Path | None,
    no_backup: bool,
    clients_may_break: bool,
) -> None:
    """Bring the database to what this MLflow works on, after a backup, while no server is up on it."""
    from mlflow_server.upkeep import upgrade as upgrades
    from mlflow_server.upkeep.databases import named

    # MLflow's own, about a library that it loads: the reader can do nothing about it.
    warnings.filterwarnings("ignore", message="starlette.middleware.wsgi")
    database_login.install()
    now = datetime.now(UTC)
    of_home = ctx.get_parameter_source("home") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    if backend_store_uri and not of_home:
        if not no_backup:
            raise ServerError(
                "A database that is not of a home here is upgraded with --no-backup only: take a snapshot of it first."
            )
        database_login.install()
        upgrades.upgrade(named(backend_store_uri), now, clients_may_break, click.echo)
        return
    path = archive or home.folder / "backups" / f"before-upgrade-{now:%Y%m%dT%H%M%SZ}.zip"
    upgrades.upgrade_home(home, None if no_backup else path.absolute(), now, clients_may_break, click.echo)


def _describe(path: Path, manifest: Manifest) -> None:
    size = decimal(path.stat().st_size)
    click.echo(f"backup: {path} ({len(manifest.members)} files, {size}; private, since secrets are in it)")
    _say_left_out(manifest)


def _say_left_out(manifest: Manifest) -> None:
    for place in manifest.source.left_out:
        click.echo(f"not in it: {place}")
