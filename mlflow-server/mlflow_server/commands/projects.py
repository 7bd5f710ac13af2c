"""`create-project`, `list-projects`, `delete-project`: teams kept apart, on one server or with a server each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from mlflow_server import accounts, background, isolated, projects
from mlflow_server.client import Client, Login
from mlflow_server.commands.options import client_of, home_option, tracking_uri_option
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.settings import Settings


@click.command("create-project")
@click.argument("name")
@click.option("--member", "members", multiple=True, metavar="USER", help="Let this user in; made if new. Repeatable.")
@click.option("--isolated", "own_server", is_flag=True, help="With a database and a server of its own.")
@home_option
@tracking_uri_option
def create_project(name: str, members: tuple[str, ...], own_server: bool, home: Home, tracking_uri: str | None) -> None:
    """Make a project: nobody but its members, and administrators, sees its runs, models and artifacts."""
    projects.checked_name(name)
    if own_server:
        if tracking_uri:
            raise ServerError(
                "--isolated starts a server on this machine: name the home whose stores it shares with --home, "
                "or leave --isolated out."
            )
        _create_isolated(home, name, members)
        return
    if not (tracking_uri or Settings.kept_in(home.folder).asks_for_passwords):
        raise ServerError(
            f"The server of {home.folder} asks nobody for a password, so that it cannot tell members apart: "
            "start it with `mlflow-server up --auth`, or give the project a server of its own by --isolated."
        )
    client = client_of(home, tracking_uri)
    if not projects.enabled(client):
        _turn_on(home, tracking_uri)
    if name in home.projects() and not tracking_uri:
        raise ServerError(f"There is a project {name} already, with a server of its own.")
    projects.create(client, name)
    click.echo(f"project {name}: export MLFLOW_TRACKING_URI={client.login.tracking_uri} MLFLOW_WORKSPACE={name}")
    for member in _made(client, members):
        projects.let_in(client, name, member, "member")


@click.command("list-projects")
@home_option
@tracking_uri_option
def list_projects(home: Home, tracking_uri: str | None) -> None:
    """List the projects and who is in them."""
    client = client_of(home, tracking_uri)
    if projects.enabled(client):
        for project in projects.listed(client):
            click.echo(f"{project.name}  {', '.join(project.members)}".rstrip())
    for name in [] if tracking_uri else home.projects():
        record = home.project(name).running()
        click.echo(f"{name}  isolated, {f'up: {record.tracking_uri}' if record else 'down'}")


@click.command("delete-project")
@click.argument("name")
@click.option("--with-data", is_flag=True, help="With its runs, models and artifacts, which cannot be undone.")
@home_option
@tracking_uri_option
def delete_project(name: str, with_data: bool, home: Home, tracking_uri: str | None) -> None:
    """Delete a project that holds nothing, or anything with --with-data; users stay."""
    if name in home.projects() and not tracking_uri:
        project = home.project(name)
        held = isolated.held(project)
        if held and not with_data:
            raise ServerError(
                f"The project {name} holds {', '.join(held)}: look at them first, "
                "then delete it with all of them by --with-data."
            )
        background.stop(project)
        isolated.remove(project)
    else:
        client = client_of(home, tracking_uri)
        if not projects.enabled(client):
            raise ServerError(f"There is no project {name}: {client.login.tracking_uri} has no projects.")
        projects.delete(client, name, with_data)
    click.echo(f"deleted project {name}")


def _create_isolated(home: Home, name: str, members: Sequence[str]) -> None:
    if name in home.projects():
        raise ServerError(f"There is a project {name} already: `mlflow-server up --project {name}` starts its server.")
    record = home.running()
    if record and name in _shared(Client(Login.of_home(home))):
        raise ServerError(f"There is a project {name} already, on the server {record.tracking_uri}: take another name.")
    project = home.project(name)
    settings = isolated.settings(home)
    home.make()
    project.make()
    settings.keep_in(project.folder)
    try:
        record, local = background.start(project, 0, settings)
    except BaseException:
        isolated.discard(project)
        raise
    client = Client(Login.of_home(project))
    click.echo(f"project {name}: export MLFLOW_TRACKING_URI={record.tracking_uri}")
    if local and local.serving.accounts:
        own = local.serving.accounts
        click.echo(f"administrator: {own.admin}, password: {own.password} (shown this once)")
        click.echo(f"(kept in {project.client_environment}: `source` it to log in)")
    for member in _made(client, members):
        for kind, resource in accounts.EVERYTHING:
            accounts.grant(client, member, kind, resource, "member")


def _made(client: Client, members: Sequence[str]) -> Sequence[str]:
    """The members, with accounts made for those who have none."""
    known = {user.name for user in accounts.users(client)} if members else set()
    for member in dict.fromkeys(members):
        if member not in known:
            password = accounts.new_password()
            accounts.create(client, member, password)
            click.echo(f"user {member}, password: {password} (shown this once)")
    return members


def _shared(client: Client) -> list[str]:
    return projects.names(client) if projects.enabled(client) else []


def _turn_on(home: Home, tracking_uri: str | None) -> None:
    """Have a server of this machine keep projects apart from now on."""
    if tracking_uri:
        raise ServerError(
            f"{tracking_uri} keeps no projects apart: start it with MLFLOW_ENABLE_WORKSPACES=true in its environment."
        )
    settings = Settings.kept_in(home.folder)
    click.echo("restarting the server, which keeps projects apart from now on; what it has stays in `default`")
    isolated_up = [name for name in home.projects() if home.project(name).running()]
    background.stop(home)
    background.start(home, 0, replace(settings, projects=True))
    for name in isolated_up:
        background.start(home.project(name), 0, Settings.kept_in(home.project(name).folder))
