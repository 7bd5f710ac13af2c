"""`deploy`, `destroy`, `outputs`, `build-image` and `tunnel`: the tracking server in the account that boto3 reaches."""

from __future__ import annotations

import functools
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_server.errors import ServerError

if TYPE_CHECKING:
    from mlflow_server.aws.progress import Progress

_stack_name = click.option("--stack", default="mlflow-server", show_default=True, help="Name of the stack.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_AFTER_INTERRUPT = "Interrupted. What has begun goes on by itself: run again to see how it ended."


class TemplateCommand(click.Command):
    """A command that has an option for each parameter of the server's template, which is read when it is asked for."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_template_options()]


@functools.cache
def _template_options() -> tuple[click.Option, ...]:
    from mlflow_server.aws.template import read_template

    return tuple(
        click.Option(
            [parameter.option, parameter.name],
            type=click.Choice(parameter.allowed) if parameter.allowed else str,
            help=f"{parameter.description.rstrip('.')}.  [{parameter.default or 'empty'}]",
        )
        for parameter in read_template().parameters.values()
    )


@click.command(cls=TemplateCommand)
@_stack_name
@_yes
@click.option(
    "--parameters",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Parameters in a YAML file, such as `size: medium`; options win over it.",
)
@click.option("--without-service", is_flag=True, help="Stop when database, bucket and repository are there.")
def deploy(stack: str, yes: bool, file: Path | None, without_service: bool, **told: str | None) -> None:
    """Show plan and cost, ask, then make or change the server on AWS; what is not told stays as it is deployed."""
    from mlflow_server.aws import image, parameters
    from mlflow_server.aws.cost import estimates, read_prices
    from mlflow_server.aws.deployment import Proposal
    from mlflow_server.aws.server import Intention, Server
    from mlflow_server.aws.stack import find_stack
    from mlflow_server.aws.template import read_template

    with _plain_errors():
        template = read_template()
        given = {
            **(parameters.read_file(file, template) if file else {}),
            **{name: value for name, value in told.items() if value is not None},
        }
        progress, cloudformation = _progress(), _client("cloudformation")
        found = find_stack(cloudformation, stack)
        values = parameters.settle(template, given, found.parameters if found else {})
        sources = None if given.get("ImageTag") or without_service else image.read_sources()
        wanted = Intention(values, given.get("ImageTag") or (sources.tag if sources else ""), sources)

        def planned(proposal: Proposal, builds: bool) -> None:
            progress.planned(proposal.plan, stack)
            if builds:
                progress.say(f"Then the image {wanted.tag} is built and pushed, and the service runs it.")
            prices = read_prices()
            progress.costs(estimates(template, values, prices), values["Size"], prices)

        server = Server(
            deployment=_deployment(stack, template.request_body, values["ServerName"], progress),
            build=_image_build(progress),
            ecr=_client("ecr"),
            planned=planned,
            agreed=lambda: yes or _agrees(lambda: click.confirm("Deploy this?", default=False), f"deploying {stack}"),
        )
        deployed, changed = server.deploy(wanted, service=not without_service)
        if not changed:
            progress.say(f"The stack {stack} is as it should be: nothing to change")
        progress.outputs(deployed)


@click.command("build-image")
@_stack_name
def build_image(stack: str) -> None:
    """Build the server's image by CodeBuild and push it to ECR, where it is not there yet; prints its URI."""
    from mlflow_server.aws import image
    from mlflow_server.aws.stack import deployed_stack

    with _plain_errors():
        progress, found = _progress(), deployed_stack(_client("cloudformation"), stack)
        sources = image.read_sources()
        if image.exists(_client("ecr"), found, sources.tag):
            progress.say(f"The image {sources.tag} is there already")
        else:
            _image_build(progress).run(found, sources)
        progress.say(f"{found.outputs['RepositoryUri']}:{sources.tag}")


@click.command()
@_stack_name
@click.argument("name", required=False)
def outputs(stack: str, name: str | None) -> None:
    """Show what a deployed server offers: tracking URI, artifact root, database, secrets; or one of these, by NAME."""
    from mlflow_server.aws.stack import deployed_stack

    with _plain_errors():
        found = deployed_stack(_client("cloudformation"), stack)
        if name is None:
            _progress().outputs(found)
        elif name in found.outputs:
            click.echo(found.outputs[name])
        else:
            raise ServerError(f"{stack} has no output {name}; there are {', '.join(sorted(found.outputs))}.")


@click.command()
@_stack_name
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port of this machine.")
@click.option("--database", is_flag=True, help="To the database instead of the server.")
@click.option("--print", "printed", is_flag=True, help="Only print the command.")
def tunnel(stack: str, port: int, database: bool, printed: bool) -> None:
    """Reach a server inside its VPC from this machine, by Session Manager, until Ctrl-C."""
    from mlflow_server.aws.stack import deployed_stack
    from mlflow_server.aws.tunnel import Tunnel, find_target

    with _plain_errors():
        found = deployed_stack(_client("cloudformation"), stack)
        ecs = _client("ecs")
        target = find_target(ecs, found.outputs["ClusterName"], "server")
        opened = Tunnel(target, port, ecs.meta.region_name)
        if database:
            host, host_port = found.outputs["DatabaseEndpoint"], int(found.outputs["DatabasePort"])
            opened = Tunnel(target, port, ecs.meta.region_name, host, host_port)
        if printed:
            click.echo(shlex.join(opened.command))
            return
        for program, package in (("aws", "the AWS CLI"), ("session-manager-plugin", "its Session Manager plugin")):
            if shutil.which(program) is None:
                raise ServerError(f"The tunnel needs {package}, and there is no {program} on the PATH: install it.")
        click.echo(f"MLFLOW_TRACKING_URI=http://localhost:{port}" if not database else f"localhost:{port}")
        sys.exit(subprocess.run(opened.command, check=False).returncode)


@click.command()
@_stack_name
@_yes
@click.option(
    "--delete-data", count=True, help="Delete runs, models and artifacts as well; with --yes to be given twice."
)
def destroy(stack: str, yes: bool, delete_data: int) -> None:
    """Say what would go and what would stay, ask, and remove the server; data stays unless that is said twice."""
    from mlflow_server.aws.removal import Removal
    from mlflow_server.aws.stack import find_stack
    from mlflow_server.aws.template import read_template

    with _plain_errors():
        progress, cloudformation = _progress(), _client("cloudformation")
        found = find_stack(cloudformation, stack)
        if found is None:
            progress.say(f"There is no stack {stack}: nothing to remove")
            return
        removal = Removal(
            _deployment(stack, read_template().request_body, stack, progress),
            *(_client(service) for service in ("s3", "rds", "elbv2", "kms")),
        )
        remains = removal.survey(found)
        if remains.projects:
            raise ServerError(
                f"The projects {', '.join(remains.projects)} run on {stack}: remove them first by "
                "`mlflow-server destroy-project`. Nothing was removed."
            )
        progress.doomed(remains, data=bool(delete_data))
        if yes:
            if delete_data == 1:
                raise ServerError(
                    "Runs, models and artifacts are deleted only when that was said twice: give --delete-data a second "
                    "time, or leave --yes out and type what is asked. Nothing was removed."
                )
        else:
            _typed(remains.server, f"removing {stack}", f"Type {remains.server} to remove it")
            if delete_data:
                _typed(remains.bucket, f"deleting {remains.bucket}", f"Type {remains.bucket} to delete all data")
        snapshot = removal.carry_out(remains, data=bool(delete_data))
        progress.say(f"The MLflow server {remains.server} is removed")
        if not delete_data:
            progress.say(f"The bucket {remains.bucket} is kept")
            progress.say(f"The database is kept as the snapshot {snapshot or '(see RDS, Snapshots)'}")


def _typed(expected: str, what: str, question: str) -> None:
    typed = _agrees(lambda: click.prompt(question, default="", show_default=False), what)
    if typed != expected:
        raise ServerError(f"{typed!r} is not {expected!r}: nothing was removed.")


def _agrees(ask: Callable[[], Any], what: str) -> Any:
    """Ask a person; refuse where there is none."""
    if not sys.stdin.isatty():
        raise ServerError(
            f"There is nobody here to ask about {what}: give --yes to go on without. Nothing was changed."
        )
    return ask()


def _client(service: str) -> Any:
    import boto3

    return boto3.client(service)


def _progress() -> Progress:
    from mlflow_server.aws.progress import Progress

    return Progress.here()


def _deployment(stack: str, body: str, server: str, progress: Progress) -> Any:
    from datetime import UTC, datetime

    from mlflow_server.aws.deployment import Deployment

    return Deployment(
        cloudformation=_client("cloudformation"),
        stack_name=stack,
        body=body,
        tags={"mlflow-server": server},
        change_set_name=lambda: f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
        report=progress.happened,
    )


def _image_build(progress: Progress) -> Any:
    from mlflow_server.aws.image import ImageBuild

    return ImageBuild(_client("s3"), _client("codebuild"), _client("logs"), progress.say)


@contextmanager
def _plain_errors() -> Iterator[None]:
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


COMMANDS = (deploy, build_image, outputs, tunnel, destroy)
