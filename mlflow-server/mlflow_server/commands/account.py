"""What the commands about AWS share: whom they ask, how they ask, and how they say what AWS refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mlflow_server.errors import ServerError

if TYPE_CHECKING:
    from mlflow_server.aws.deployment import Deployment
    from mlflow_server.aws.image import ImageBuild
    from mlflow_server.aws.progress import Progress

stack_option = click.option("--stack", default="mlflow-server", show_default=True, help="Name of the stack.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
_AFTER_INTERRUPT = "Interrupted. What has begun goes on by itself: run again to see how it ended."


def typed(expected: str, what: str, question: str) -> None:
    """Have a person type a name; raises `ServerError` where it is another, or nobody is here."""
    answer = agrees(lambda: click.prompt(question, default="", show_default=False), what)
    if answer != expected:
        raise ServerError(f"{answer!r} is not {expected!r}: nothing was removed.")


def agrees(ask: Callable[[], Any], what: str) -> Any:
    """Ask a person; raises `ServerError` where there is none."""
    if not sys.stdin.isatty():
        raise ServerError(
            f"There is nobody here to ask about {what}: give --yes to go on without. Nothing was changed."
        )
    return ask()


def client(service: str) -> Any:
    """A boto3 client of the account and region that its usual sources name."""
    import boto3

    return boto3.client(service)


def printed() -> Progress:
    """Progress on the standard output."""
    from mlflow_server.aws.progress import Progress

    return Progress.here()


def deployment_of(stack: str, body: str, server: str, progress: Progress) -> Deployment:
    """The deployment of a stack that belongs to a server."""
    from datetime import UTC, datetime

    from mlflow_server.aws.deployment import Deployment

    return Deployment(
        cloudformation=client("cloudformation"),
        stack_name=stack,
        body=body,
        tags={"mlflow-server": server},
        change_set_name=lambda: f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
        report=progress.happened,
    )


def image_build(progress: Progress, buildspec: str) -> ImageBuild:
    """The build of the server's image."""
    from mlflow_server.aws.image import ImageBuild

    return ImageBuild(client("s3"), client("codebuild"), client("logs"), buildspec, progress.say)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say what AWS refuses, and an interrupt, in a sentence."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise ServerError(f"AWS refused. {error} See the parameters and the permissions of this role.") from error
    except BotoCoreError as error:
        raise ServerError(
            f"AWS cannot be asked. {error} See the region, credentials and network of this shell."
        ) from error
    except KeyboardInterrupt:
        click.echo(_AFTER_INTERRUPT, err=True)
        sys.exit(130)
