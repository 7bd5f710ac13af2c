"""The command line `mlflow-server`: an interrupt while its commands are imported is an interrupt all the same."""

from __future__ import annotations

import sys


def main() -> None:
    """Carry out what the command line says."""
    try:
        from mlflow_server.commands.group import group
    except KeyboardInterrupt:
        print("Interrupted: nothing was begun.", file=sys.stderr)
        sys.exit(130)
    group(prog_name="mlflow-server")


if __name__ == "__main__":
    main()
