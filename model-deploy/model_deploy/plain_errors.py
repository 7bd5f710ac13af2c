"""How the command line tells of what a user can cause: one plain sentence, no traceback, a failing exit code.
Anything else is a bug and keeps its traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from botocore.exceptions import BotoCoreError, ClientError

from model_deploy.errors import DeploymentError


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print what a user can cause as it reads, without a traceback; anything else is a bug and keeps its own."""
    try:
        yield
    except DeploymentError as error:
        click.echo(f"Error: {error}", err=True)
        for line in error.evidence:
            click.echo(f"  {line}", err=True)
        sys.exit(1)
    except ClientError as error:
        click.echo(f"Error: AWS refused. {error} See the permissions and settings of this role.", err=True)
        sys.exit(1)
    except BotoCoreError as error:
        click.echo(
            f"Error: AWS cannot be asked. {error} See the region, credentials and network of this shell.", err=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo(
            "Interrupted. A stack update that has begun goes on by itself: deploy again to see how it ended.", err=True
        )
        sys.exit(130)
