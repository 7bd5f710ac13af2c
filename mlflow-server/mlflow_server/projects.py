"""Projects on one server: an MLflow workspace each, with its own artifact prefix, members and roles.

https://mlflow.org/docs/latest/self-hosting/workspaces
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mlflow_server import accounts
from mlflow_server.client import Client, Refusal
from mlflow_server.errors import ServerError

_WORKSPACES, _ROLES, _FILES = "/3.0/mlflow/workspaces", "/3.0/mlflow/roles", "/2.0/mlflow-artifacts/artifacts"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RESERVED = {"default", "workspaces", "api", "ajax-api", "static-files"}
_LONGEST = 24
_GRANTS: dict[str, tuple[tuple[str, str], ...]] = {
    "reader": tuple((holder, "READ") for holder in accounts.HOLDERS),
    "member": (("workspace", "USE"), *((holder, "EDIT") for holder in accounts.HOLDERS)),
    "manager": (("workspace", "MANAGE"),),
}


@dataclass(frozen=True)
class Project:
    """A project and who is in it, as `anna: member`."""

    name: str
    members: tuple[str, ...]


def checked_name(name: str) -> str:
    """A name that workspaces, databases and folders can have; raises `ServerError` for any other."""
    if name in _RESERVED:
        raise ServerError(f"A project cannot be called {name}, which MLflow keeps for itself: take another name.")
    if not 2 <= len(name) <= _LONGEST or not _NAME.fullmatch(name):
        raise ServerError(
            f"{name!r} cannot be a project's name: take 2 to {_LONGEST} lower-case letters, digits and hyphens between."
        )
    return name


def enabled(client: Client) -> bool:
    """Whether the server keeps projects apart."""
    return bool(client.get("/3.0/mlflow/server-info").get("workspaces_enabled"))


def create(client: Client, name: str) -> None:
    """Make a project with its three roles; one that is half made is completed.

    Raises `ServerError` where there is one of that name.
    """
    if name in names(client):
        if set(_roles(client, name)) >= set(_GRANTS):
            raise ServerError(f"There is a project {name} already: `mlflow-server grant` lets users into it.")
    else:
        client.send("POST", _WORKSPACES, name=name)
    inside = replace(client, workspace=name)
    for role, grants in _GRANTS.items():
        made = _roles(client, name).get(role)
        if made is None:
            made = inside.send("POST", f"{_ROLES}/create", workspace=name, name=role)["role"]["id"]
        granted = inside.get(f"{_ROLES}/permissions/list", role_id=str(made))["role_permissions"]
        for resource_type, permission in grants:
            if resource_type not in {grant["resource_type"] for grant in granted}:
                inside.send(
                    "POST",
                    f"{_ROLES}/permissions/add",
                    role_id=made,
                    resource_type=resource_type,
                    resource_pattern="*",
                    permission=permission,
                )


def names(client: Client) -> list[str]:
    """The projects there are, by name, without MLflow's own `default`."""
    listed = replace(client, workspace=None).get(_WORKSPACES).get("workspaces", [])
    return sorted(workspace["name"] for workspace in listed if workspace["name"] != "default")


def listed(client: Client) -> list[Project]:
    """All projects with their members."""
    users = accounts.users(client)
    return [
        Project(
            name,
            tuple(f"{user.name}: {own.role}" for user in users for own in user.memberships if own.project == name),
        )
        for name in names(client)
    ]


def let_in(client: Client, project: str, user: str, role: str) -> None:
    """Make a user `role` of a project, instead of what it was there.

    Raises `ServerError` where there is no such project or user.
    """
    roles, held = _roles_of_known(client, project), _held(client, project, user)
    inside = replace(client, workspace=project)
    if role not in held:
        inside.send("POST", f"{_ROLES}/assign", username=user, role_id=roles[role])
    for other in held - {role}:
        inside.send("DELETE", f"{_ROLES}/unassign", username=user, role_id=roles[other])


def let_out(client: Client, project: str, user: str) -> bool:
    """Take every role in a project from a user; False where it had none. Raises as `let_in` does."""
    roles, held = _roles_of_known(client, project), _held(client, project, user)
    for role in held:
        replace(client, workspace=project).send("DELETE", f"{_ROLES}/unassign", username=user, role_id=roles[role])
    return bool(held)


def delete(client: Client, name: str, with_data: bool) -> None:
    """Delete a project with its roles, its runs, models and artifacts only if `with_data`.

    Raises `ServerError` where there is no such project, or it holds something that was not to be deleted.
    """
    _roles_of_known(client, name)
    inside = replace(client, workspace=name)
    try:
        client.send("DELETE", f"{_WORKSPACES}/{name}")
    except Refusal as refusal:
        if refusal.code != "INVALID_STATE":
            raise
        if not with_data:
            raise ServerError(
                f"The project {name} holds experiments, runs or models: look at them first, "
                "then delete it with all of them by --with-data."
            ) from refusal
    else:
        return
    # Files first: what a lost connection leaves behind is then still known to belong to the project.
    for entry in inside.get(_FILES).get("files", []):
        inside.send("DELETE", f"{_FILES}/{entry['path'].rstrip('/')}")
    client.send("DELETE", f"{_WORKSPACES}/{name}?mode=CASCADE")


def _roles(client: Client, project: str) -> dict[str, int]:
    listed = client.get(f"{_ROLES}/list", workspace=project)["roles"]
    return {role["name"]: role["id"] for role in listed if role["name"] in _GRANTS}


def _roles_of_known(client: Client, project: str) -> dict[str, int]:
    known = names(client)
    if project not in known:
        there = f"there are {', '.join(known)}" if known else "there is none yet"
        raise ServerError(f"There is no project {project}: {there}. `mlflow-server create-project {project}` makes it.")
    roles = _roles(client, project)
    if len(roles) < len(_GRANTS):
        raise ServerError(
            f"The project {project} lacks roles, since making it was broken off: "
            f"`mlflow-server create-project {project}` completes it."
        )
    return roles


def _held(client: Client, project: str, name: str) -> set[str]:
    user = accounts.find(client, name)
    return {membership.role for membership in user.memberships if membership.project == project}
