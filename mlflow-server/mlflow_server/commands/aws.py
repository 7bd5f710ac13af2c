"""`deploy`, `destroy`, `outputs`, `build-image` and `tunnel`: the tracking server in the account that boto3 reaches."""

from __future__ import annotations

import functools
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click

from mlflow_server.commands import account
from mlflow_server.errors import ServerError


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
@account.stack_option
@account.yes_option
@click.option(
    "--parameters",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Parameters in a YAML file, such as `size: medium`; options win over it.",
)
@click.option("--without-service", is_flag=True, help="Stop when database, bucket and repository are there.")
@click.option(
    "--replace",
    multiple=True,
    metavar="RESOURCE",
    help="Let go of what this resource holds or opens, such as Database; may be repeated. Without it that is refused.",
)
def deploy(
    stack: str, yes: bool, file: Path | None, without_service: bool, replace: tuple[str, ...], **told: str | None
) -> None:
    """Show plan and cost, ask, then make or change the server on AWS; what is not told stays as it is deployed."""
    from mlflow_server.aws import image, parameters
    from mlflow_server.aws.cost import estimates, read_prices
    from mlflow_server.aws.deployment import Proposal
    from mlflow_server.aws.server import Intention, Server
    from mlflow_server.aws.stack import find_stack
    from mlflow_server.aws.template import read_template

    with account.plain_errors():
        template = read_template()
        given = {
            **(parameters.read_file(file, template) if file else {}),
            **{name: value for name, value in told.items() if value is not None},
        }
        progress, cloudformation = account.printed(), account.client("cloudformation")
        found = find_stack(cloudformation, stack)
        values = parameters.settle(template, given, found.parameters if found else {})
        sources = None if given.get("ImageTag") or without_service else image.read_sources(values["PythonTag"])
        wanted = Intention(values, given.get("ImageTag") or (sources.tag if sources else ""), sources)

        def planned(proposal: Proposal, builds: bool) -> None:
            progress.planned(proposal.plan, stack)
            if builds:
                progress.say(f"Then the image {wanted.tag} is built and pushed, and the service runs it.")
            prices = read_prices()
            progress.costs(estimates(template, values, prices), values["Size"], prices)

        server = Server(
            deployment=account.deployment_of(stack, template.request_body, values["ServerName"], progress),
            build=account.image_build(progress, template.buildspec),
            ecr=account.client("ecr"),
            planned=planned,
            agreed=lambda: (
                yes or account.agrees(lambda: click.confirm("Deploy this?", default=False), f"deploying {stack}")
            ),
            replaced=replace,
        )
        deployed, changed = server.deploy(wanted, service=not without_service)
        if not changed:
            progress.say(f"The stack {stack} is as it should be: nothing to change")
        progress.outputs(deployed)


@click.command("build-image")
@account.stack_option
def build_image(stack: str) -> None:
    """Build the server's image by CodeBuild and push it to ECR, where it is not there yet; prints its URI."""
    from mlflow_server.aws import image
    from mlflow_server.aws.stack import deployed_stack
    from mlflow_server.aws.template import read_template

    with account.plain_errors():
        progress, found = account.printed(), deployed_stack(account.client("cloudformation"), stack)
        sources = image.read_sources(found.parameters["PythonTag"])
        if image.exists(account.client("ecr"), found, sources.tag):
            progress.say(f"The image {sources.tag} is there already")
        else:
            build = account.image_build(progress, read_template().buildspec)
            build.run(found, sources, found.parameters)
        progress.say(f"{found.outputs['RepositoryUri']}:{sources.tag}")


@click.command()
@account.stack_option
@click.argument("name", required=False)
def outputs(stack: str, name: str | None) -> None:
    """Show what a deployed server offers: tracking URI, artifact root, database, secrets; or one of these, by NAME."""
    from mlflow_server.aws.stack import deployed_stack

    with account.plain_errors():
        found = deployed_stack(account.client("cloudformation"), stack)
        if name is None:
            account.printed().outputs(found)
        elif name in found.outputs:
            click.echo(found.outputs[name])
        else:
            raise ServerError(f"{stack} has no output {name}; there are {', '.join(sorted(found.outputs))}.")


@click.command()
@account.stack_option
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port of this machine.")
@click.option("--database", is_flag=True, help="To the database instead of the server.")
@click.option("--print", "printed", is_flag=True, help="Only print the command.")
def tunnel(stack: str, port: int, database: bool, printed: bool) -> None:
    """Reach a server inside its VPC from this machine, by Session Manager, until Ctrl-C."""
    from mlflow_server.aws.stack import deployed_stack
    from mlflow_server.aws.tunnel import Tunnel, find_target

    with account.plain_errors():
        found = deployed_stack(account.client("cloudformation"), stack)
        ecs = account.client("ecs")
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
@account.stack_option
@account.yes_option
@click.option(
    "--delete-data", count=True, help="Delete runs, models and artifacts as well; with --yes to be given twice."
)
def destroy(stack: str, yes: bool, delete_data: int) -> None:
    """Say what would go and what would stay, ask, and remove the server; data stays unless that is said twice."""
    from mlflow_server.aws.removal import Removal
    from mlflow_server.aws.stack import find_stack
    from mlflow_server.aws.template import read_template

    with account.plain_errors():
        progress, cloudformation = account.printed(), account.client("cloudformation")
        found = find_stack(cloudformation, stack)
        if found is None:
            progress.say(f"There is no stack {stack}: nothing to remove")
            return
        removal = Removal(
            account.deployment_of(stack, read_template().request_body, stack, progress),
            *(account.client(service) for service in ("s3", "rds", "elbv2", "kms", "secretsmanager")),
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
            account.typed(remains.server, f"removing {stack}", f"Type {remains.server} to remove it")
            if delete_data:
                account.typed(remains.bucket, f"deleting {remains.bucket}", f"Type {remains.bucket} to delete all data")
        snapshot = removal.carry_out(remains, data=bool(delete_data))
        progress.say(f"The MLflow server {remains.server} is removed")
        if not delete_data:
            progress.say(f"The bucket {remains.bucket} is kept")
            progress.say(f"The database is kept as the snapshot {snapshot or '(see RDS, Snapshots)'}")


COMMANDS = (deploy, build_image, outputs, tunnel, destroy)
