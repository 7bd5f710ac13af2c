"""The accounts of a server, and what each may do: three roles, the same in a project, an experiment and a model.

reader    sees runs, models and artifacts
member    makes and changes them too; what it made it may also delete
manager   may do everything, deleting what others made and letting others in included
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from mlflow_server.client import Client, Refusal
from mlflow_server.errors import ServerError

PERMISSIONS = {"reader": "READ", "member": "EDIT", "manager": "MANAGE"}
# MLflow asks for the permission on what holds a thing: experiments hold runs, traces and files, models their versions.
HOLDERS = ("experiment", "registered_model", "prompt", "scorer")
EVERYTHING = tuple((holder, "*") for holder in HOLDERS)
_USERS, _GRANTS = "/2.0/mlflow/users", "/3.0/mlflow/users/permissions"
# MLflow reads a login as ASCII where files and traces are asked for, and as UTF-8 elsewhere: only ASCII opens both.
_NAME = re.compile(r"[!-9;-~]+")
_LONGEST_NAME = 255  # of MLflow's column
_PASSWORD = re.compile(r"[ -~]+")
_PASSWORD_LENGTHS = 12, 256


@dataclass(frozen=True)
class Membership:
    """A role that a user has in a project."""

    project: str
    role: str


@dataclass(frozen=True)
class User:
    """An account, and where it is let in."""

    name: str
    administrator: bool
    memberships: tuple[Membership, ...]


def new_password() -> str:
    """A password that nobody guesses."""
    return secrets.token_urlsafe(18)


def check_name(name: str) -> None:
    """Raises `ServerError` for a name with which nobody could log in, or that no database takes."""
    if len(name) > _LONGEST_NAME:
        raise ServerError(f"A user's name has at most {_LONGEST_NAME} characters, this one {len(name)}: shorten it.")
    if not _NAME.fullmatch(name):
        raise ServerError(
            f"{name!r} cannot be a user's name: take visible characters of ASCII, without a colon or a space."
        )


def check_password(password: str) -> None:
    """Raises `ServerError` for a password that is too short or too long, or would not open every door."""
    least, most = _PASSWORD_LENGTHS
    if not _PASSWORD.fullmatch(password) and password:
        raise ServerError(
            "A password is of printable ASCII characters, since MLflow reads others in two ways: take another one."
        )
    if len(password) < least:
        raise ServerError(f"A password has at least {least} characters: take a longer one.")
    if len(password) > most:
        raise ServerError(f"A password has at most {most} characters: take a shorter one.")


def create(client: Client, name: str, password: str, administrator: bool = False) -> None:
    """Make an account; raises `ServerError` where there is one of that name, or it or the password cannot be had."""
    check_name(name)
    check_password(password)
    try:
        client.send("POST", f"{_USERS}/create", username=name, password=password)
    except Refusal as refusal:
        if refusal.code == "RESOURCE_ALREADY_EXISTS":
            raise ServerError(
                f"There is a user {name} already: `mlflow-server set-password {name}` gives it a new password."
            ) from refusal
        raise
    if administrator:
        client.send("PATCH", f"{_USERS}/update-admin", username=name, is_admin=True)


def set_password(client: Client, name: str, password: str) -> None:
    """Give an account another password; within ten seconds the old one opens nothing any more.

    Raises `ServerError` where there is no such account, or the password cannot be had.
    """
    check_password(password)
    current = {"current_password": client.login.password} if name == client.login.username else {}
    find(client, name)
    client.send("PATCH", f"{_USERS}/update-password", username=name, password=password, **current)


def delete(client: Client, name: str) -> None:
    """Delete an account and all it was granted; what it logged stays. Raises `ServerError` where there is none."""
    find(client, name)
    client.send("DELETE", f"{_USERS}/delete", username=name)


def users(client: Client) -> list[User]:
    """All accounts, by name."""
    listed = client.get(f"{_USERS}/list")["users"]
    return sorted(
        (User(user["username"], user["is_admin"], _memberships(user["roles"])) for user in listed),
        key=lambda user: user.name,
    )


def find(client: Client, name: str) -> User:
    """One account; raises `ServerError` with those there are where there is none of that name."""
    there = users(client)
    for user in there:
        if user.name == name:
            return user
    raise ServerError(
        f"There is no user {name}: there are {', '.join(user.name for user in there)}. "
        f"`mlflow-server create-user {name}` makes one."
    )


def grant(client: Client, name: str, kind: str, resource: str, role: str) -> None:
    """Let a user be `role` of one experiment (by its id) or one registered model, instead of what it was.

    Raises `ServerError` where there is no such user or resource.
    """
    revoke(client, name, kind, resource)
    client.send(
        "POST",
        f"{_GRANTS}/grant",
        username=name,
        resource_type=kind,
        resource_id=resource,
        permission=PERMISSIONS[role],
    )


def revoke(client: Client, name: str, kind: str, resource: str) -> bool:
    """Take back what `grant` gave; False where nothing was granted."""
    find(client, name)
    try:
        client.send("POST", f"{_GRANTS}/revoke", username=name, resource_type=kind, resource_id=resource)
    except Refusal as refusal:
        if refusal.code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _memberships(roles: list[dict[str, Any]]) -> tuple[Membership, ...]:
    # What is granted to one user alone stands in a role that MLflow names __user_<id>__.
    return tuple(Membership(role["workspace"], role["name"]) for role in roles if role["name"] in PERMISSIONS)
