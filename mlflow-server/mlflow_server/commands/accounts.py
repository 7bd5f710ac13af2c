"""`create-user`, `set-password`, `list-users`, `delete-user`, `grant`, `revoke`: who may do what on a server."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from mlflow_server import accounts, administrator, projects
from mlflow_server.client import Client, Refusal
from mlflow_server.commands.options import server_options
from mlflow_server.errors import ServerError


def _password(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say where a password comes from; the command is given it, or None where it is to make one."""

    @click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of making one.")
    @click.option("--secret", help="Take it from this secret of AWS, JSON with username and password: its ARN or name.")
    @functools.wraps(command)
    def with_password(name: str, password_stdin: bool, secret: str | None, **options: Any) -> Any:
        if password_stdin and secret:
            raise ServerError("--password-stdin and --secret name two passwords: give one of them.")
        password = _kept(secret, name) if secret else _told() if password_stdin else None
        return command(name=name, password=password, **options)

    return with_password


_role = click.argument("role", type=click.Choice(list(accounts.PERMISSIONS)))


@click.command("create-user")
@click.argument("name")
@click.option("--admin", "is_administrator", is_flag=True, help="One who may do everything, in every project.")
@_password
@server_options
def create_user(client: Client, name: str, is_administrator: bool, password: str | None) -> None:
    """Make an account. It sees nothing yet: `create-project --member`, or `grant`, lets it in."""
    new = password if password is not None else accounts.new_password()
    accounts.create(client, name, new, is_administrator)
    click.echo(f"user {name}" + ("" if password is not None else f", password: {new} (shown this once)"))


@click.command("set-password")
@click.argument("name")
@_password
@server_options
def set_password(client: Client, name: str, password: str | None) -> None:
    """Give an account another password; the old one opens nothing after ten seconds."""
    new = password if password is not None else accounts.new_password()
    accounts.set_password(client, name, new)
    kept = administrator.keep_password(client.login.home, name, new)
    shown = "" if password is not None else f", password: {new} (shown this once)"
    click.echo(f"user {name}{shown}" + (f"\nkept in {kept}" if kept else ""))


@click.command("list-users")
@server_options
def list_users(client: Client) -> None:
    """List the accounts and the projects they are in."""
    for user in accounts.users(client):
        places = [f"{own.role} of {own.project}" for own in user.memberships]
        click.echo("  ".join((user.name, ", ".join(["administrator"] * user.administrator + places))).rstrip())


@click.command("delete-user")
@click.argument("name")
@server_options
def delete_user(client: Client, name: str) -> None:
    """Delete an account; what it logged stays."""
    accounts.delete(client, name)
    click.echo(f"deleted user {name}")


@click.command()
@click.argument("user")
@_role
@click.option("--experiment", help="Only this experiment: its name or id.")
@click.option("--model", help="Only this registered model.")
@server_options
def grant(client: Client, user: str, role: str, experiment: str | None, model: str | None) -> None:
    """Make USER reader, member or manager of a project, of one experiment or model; with no option of all there is."""
    place = _place(client, experiment, model)
    if place is None and client.workspace:
        projects.let_in(client, client.workspace, user, role)
    else:
        for kind, resource in [place] if place else accounts.EVERYTHING:
            accounts.grant(client, user, kind, resource, role)
    less = "; --experiment or --model grant less" if place is None and client.workspace is None else ""
    click.echo(f"{user} is {role} of {_called(client, experiment, model)}{less}")


@click.command()
@click.argument("user")
@click.option("--experiment", help="Only this experiment: its name or id.")
@click.option("--model", help="Only this registered model.")
@server_options
def revoke(client: Client, user: str, experiment: str | None, model: str | None) -> None:
    """Take from USER what `grant` gave it in the same place."""
    place = _place(client, experiment, model)
    if place is None and client.workspace:
        taken = projects.let_out(client, client.workspace, user)
    else:
        places = [place] if place else accounts.EVERYTHING
        taken = {accounts.revoke(client, user, kind, resource) for kind, resource in places} != {False}
    called = _called(client, experiment, model)
    click.echo(f"{user} is let into {called} no more" if taken else f"{user} was not let into {called}")


def _place(client: Client, experiment: str | None, model: str | None) -> tuple[str, str] | None:
    """What is granted: MLflow's resource type and its id; None for all there is, in the project if one is named."""
    if experiment and model:
        raise ServerError("--experiment and --model name two places: grant one after the other.")
    apart = projects.enabled(replace(client, workspace=None))
    if client.workspace is None and apart:
        raise ServerError("This server keeps projects apart: say with --project in which of them.")
    if client.workspace and not apart:
        raise ServerError(
            f"There is no project {client.workspace}: {client.login.tracking_uri} has no projects yet. "
            f"`mlflow-server create-project {client.workspace}` makes it."
        )
    if model:
        client.get("/2.0/mlflow/registered-models/get", name=model)
        return "registered_model", model
    return ("experiment", _experiment_id(client, experiment)) if experiment else None


def _experiment_id(client: Client, experiment: str) -> str:
    asked = [("get-by-name", "experiment_name"), *([("get", "experiment_id")] if experiment.isdecimal() else [])]
    for call, parameter in asked:
        try:
            named = client.get(f"/2.0/mlflow/experiments/{call}", **{parameter: experiment})
        except Refusal as refusal:
            if refusal.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            continue
        return str(named["experiment"]["experiment_id"])
    where = f"in the project {client.workspace}" if client.workspace else f"at {client.login.tracking_uri}"
    raise ServerError(f"There is no experiment {experiment} {where}: give the name or the id of one that is there.")


def _called(client: Client, experiment: str | None, model: str | None) -> str:
    place = f"the experiment {experiment}" if experiment else f"the model {model}" if model else "all it has"
    if client.workspace is None:
        return place.replace("all it has", "all this server has")
    return f"the project {client.workspace}" if place == "all it has" else f"{place} in {client.workspace}"


def _kept(secret: str, name: str) -> str:
    """The password in a secret, which must be of this account."""
    from mlflow_server.aws import kept_login
    from mlflow_server.commands import account

    with account.plain_errors():
        login = kept_login.read(account.client("secretsmanager"), secret)
    if login.username != name:
        raise ServerError(f"The secret {secret} is of the account {login.username}, not of {name}: name that account.")
    return login.password


def _told() -> str:
    # What is no UTF-8 stays a character that no password has.
    return sys.stdin.buffer.readline().decode(errors="replace").rstrip("\r\n")
