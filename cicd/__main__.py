"""`python -m cicd`: deploy the CI/CD stack, show it, take it away, offer its template in SageMaker Studio.
A thin door: it reads arguments and the parameters file, calls, prints, and says in a sentence what a user can cause."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cicd.connection import connection_status
from cicd.errors import CicdError
from cicd.executor import Executor
from cicd.parameters import Parameters, read_parameters
from cicd.progress import Progress
from cicd.stack import Stack, find_stack
from cicd.studio import publish
from cicd.teardown import remove_bucket, remove_reports, remove_stack, survey
from cicd.template import read_template

# A build log and a pipe have no width of their own; the tables need this much.
_WIDTH = 120

_parameters = click.option(
    "--parameters",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(__file__).with_name("parameters.yaml"),
    help="Parameters file; cicd/parameters.yaml by default.",
)
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(context_settings={"max_content_width": 120})
def main() -> None:
    """The CI/CD of this repository, in the account and region that boto3 reaches."""


@main.command()
@_parameters
@_yes
def deploy(file: Path, yes: bool) -> None:
    """Show what a deployment would change, ask, and deploy the stack."""
    with _plain_errors():
        template = read_template()
        parameters = read_parameters(file, template)
        progress = _progress()
        executor = Executor(
            cloudformation=_client("cloudformation"),
            s3=_client("s3"),
            change_set_name=f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
            report=progress.happened,
        )
        proposal = executor.propose(parameters, template.request_body)
        if proposal is None:
            progress.say(f"The stack {parameters.stack_name} is as it should be: nothing to change")
            stack = _stack(parameters)
        else:
            progress.planned(proposal.plan, parameters.stack_name)
            try:
                agreed = yes or _agrees(
                    lambda: click.confirm("Deploy this?", default=False), f"deploying {parameters.stack_name}"
                )
            except BaseException:
                executor.withdraw(proposal)
                raise
            if not agreed:
                executor.withdraw(proposal)
                raise CicdError("Nothing was changed.")
            stack = executor.carry_out(proposal)
        progress.outputs(stack)
        progress.connection(connection_status(_client, stack), stack)


@main.command()
@_parameters
@_yes
@click.option("--endpoints", is_flag=True, help="Remove the endpoints as well.")
@click.option("--delete-artifacts", is_flag=True, help="Remove the bucket of code, data and model packages as well.")
def destroy(file: Path, yes: bool, endpoints: bool, delete_artifacts: bool) -> None:
    """Say what would go and what would stay, ask, and remove the stack."""
    with _plain_errors():
        parameters = read_parameters(file, read_template())
        progress, cloudformation, s3 = _progress(), _client("cloudformation"), _client("s3")
        found = find_stack(cloudformation, parameters.stack_name)
        if found is None:
            progress.say(f"There is no stack {parameters.stack_name}: nothing to remove")
            return
        remains = survey(cloudformation, found)
        progress.doomed(remains, endpoints=endpoints, artifacts=delete_artifacts)
        if remains.endpoints and not endpoints:
            names = ", ".join(stack.name for stack in remains.endpoints)
            raise CicdError(
                f"The endpoints {names} run with roles of this stack, and could neither be changed nor removed without "
                "them. Remove them first, or run again with --endpoints. Nothing was removed."
            )
        if not yes:
            typed = _agrees(
                lambda: click.prompt(f"Type {remains.project} to remove it", default="", show_default=False),
                f"removing {parameters.stack_name}",
            )
            if typed != remains.project:
                raise CicdError(f"{typed!r} is not {remains.project!r}: nothing was removed.")
        for stack in (*remains.endpoints, found):
            remove_stack(cloudformation, s3, stack, progress.happened)
        remove_reports(_client("codebuild"), remains.project)
        if delete_artifacts and remains.artifact_bucket:
            remove_bucket(s3, remains.artifact_bucket)
        progress.say(f"The CI/CD of {remains.project} is removed")
        if remains.artifact_bucket and not delete_artifacts:
            progress.say(f"The bucket {remains.artifact_bucket} is kept")


@main.command()
@_parameters
def status(file: Path) -> None:
    """Show the stack, its connection and its pipelines."""
    with _plain_errors():
        parameters = read_parameters(file, read_template())
        progress, stack = _progress(), _stack(parameters)
        progress.outputs(stack)
        codepipeline = _client("codepipeline")
        names = [stack.outputs[key] for key in ("ModelBuildPipeline", "ModelDeployPipeline") if key in stack.outputs]
        progress.pipelines([codepipeline.get_pipeline_state(name=name) for name in names])
        progress.connection(connection_status(_client, stack), stack)


@main.command("publish-template")
@click.option("--bucket", required=True, help="Bucket for project templates.")
@click.option("--prefix", default="project-templates", show_default=True, help="Folder in the bucket.")
def publish_template(bucket: str, prefix: str) -> None:
    """Offer the template in SageMaker Studio, as a project template."""
    with _plain_errors():
        progress, s3 = _progress(), _client("s3")
        offer = publish(s3, s3.meta.region_name, bucket, prefix, read_template().body)
        progress.say(f"The template is at {offer.url}")
        progress.say(
            f"Tag the Studio domain, once: sagemaker:projectS3TemplatesLocation = {offer.location} (a domain has one "
            "such tag: where it names another place already, publish there).\n"
            "Then in Studio: Deployments, Projects, Create project, Organization templates, S3 templates. As role give "
            "one that CloudFormation may assume and that may make what the template makes, roles included; Studio's "
            "user needs iam:PassRole for it, and s3:GetObject, s3:GetObjectTagging and s3:ListBucket for the bucket."
        )


def _client(service: str) -> Any:
    return boto3.client(service)


def _progress() -> Progress:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    return Progress(console)


def _stack(parameters: Parameters) -> Stack:
    found = find_stack(_client("cloudformation"), parameters.stack_name)
    if found is None:
        raise CicdError(f"There is no stack {parameters.stack_name} here: deploy it by python -m cicd deploy.")
    return found


def _agrees(ask: Callable[[], Any], what: str) -> Any:
    """Ask a person; refuse where there is none."""
    if not sys.stdin.isatty():
        raise CicdError(f"There is nobody here to ask about {what}: give --yes to go on without. Nothing was changed.")
    return ask()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Print what a user can cause as it reads, without a traceback; anything else is a bug and keeps its own."""
    try:
        yield
    except CicdError as error:
        click.echo(f"Error: {error}", err=True)
        for line in error.evidence:
            click.echo(f"  {line}", err=True)
        sys.exit(1)
    except ClientError as error:
        click.echo(f"Error: AWS refused. {error} See the parameters and the permissions of this role.", err=True)
        sys.exit(1)
    except BotoCoreError as error:
        click.echo(
            f"Error: AWS cannot be asked. {error} See the region, credentials and network of this shell.", err=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("Interrupted. What has begun goes on by itself: run again to see how it ended.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main(prog_name="python -m cicd")
