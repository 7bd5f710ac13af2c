"""The command line `mlflow-server`: what is said here is carried out in `commands`."""

from __future__ import annotations

import click

from mlflow_server.commands import accounts, aws, aws_projects, logs, projects, server, upkeep
from mlflow_server.commands.options import Commands


@click.group(cls=Commands)
def main() -> None:
    """The MLflow tracking server: on this machine, in a container, on AWS."""


for command in (server.up, server.serve_, server.down, server.status, logs.logs):
    main.add_command(command)

for command in (upkeep.backup, upkeep.restore, upkeep.upgrade):
    main.add_command(command)

for command in (*aws.COMMANDS, *aws_projects.COMMANDS):
    main.add_command(command)

for command in (accounts.create_user, accounts.set_password, accounts.list_users, accounts.delete_user):
    main.add_command(command)

for command in (accounts.grant, accounts.revoke):
    main.add_command(command)

for command in (projects.create_project, projects.list_projects, projects.delete_project):
    main.add_command(command)


if __name__ == "__main__":
    main()
