"""The command line `mlflow-server`: what is said here is carried out in `commands`."""

from __future__ import annotations

import click

from mlflow_server.commands import server, upkeep
from mlflow_server.commands.options import Commands


@click.group(cls=Commands)
def main() -> None:
    """The MLflow tracking server: on this machine, in a container, on AWS."""


for command in (server.up, server.serve_, server.down, server.status):
    main.add_command(command)

for command in (upkeep.backup, upkeep.restore):
    main.add_command(command)


if __name__ == "__main__":
    main()
