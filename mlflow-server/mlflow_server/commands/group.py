"""All commands of `mlflow-server` in one group: each is said in a module of `commands`, and carried out behind it."""

from __future__ import annotations

import click

from mlflow_server.commands import accounts, aws, aws_projects, logs, projects, server, upkeep
from mlflow_server.commands.options import Commands


@click.group(cls=Commands)
def group() -> None:
    """The MLflow tracking server: on this machine, in a container, on AWS."""


for command in (server.up, server.serve_, server.down, server.status, logs.logs):
    group.add_command(command)

for command in (upkeep.backup, upkeep.restore, upkeep.upgrade):
    group.add_command(command)

for command in (*aws.COMMANDS, *aws_projects.COMMANDS):
    group.add_command(command)

for command in (accounts.create_user, accounts.set_password, accounts.list_users, accounts.delete_user):
    group.add_command(command)

for command in (accounts.grant, accounts.revoke):
    group.add_command(command)

for command in (projects.create_project, projects.list_projects, projects.delete_project):
    group.add_command(command)
