"""`python -m model_deploy`: deploy the pinned model version; show the plan; send rows; name the serving image.
A thin door: it reads arguments and environment, calls, prints, and turns what a user can cause into one sentence."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import click
from rich.console import Console
from rich.table import Table

from model_deploy.endpoint import CSV, ask
from model_deploy.errors import DeploymentError
from model_deploy.image import serving_environment
from model_deploy.invocation import rows_from_arguments, rows_from_file
from model_deploy.order import HOME, SERVING, Order, be_brief_with_mlflow, head_commit
from model_deploy.plain_errors import plain_errors
from model_deploy.stage import STAGES
from model_deploy.tasks import package, push_image, smoke_test


@click.group(invoke_without_command=True, context_settings={"max_content_width": 120})
@click.option("--model-name", envvar="MODEL_NAME", help="Registered model to deploy. [MODEL_NAME]")
@click.option("--model-version", envvar="MODEL_VERSION", help="Its version: a number or an alias. [MODEL_VERSION]")
@click.option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="MLflow server. [MLFLOW_TRACKING_URI]")
@click.option("--bucket", envvar="ARTIFACT_BUCKET", help="Bucket for model packages and captures. [ARTIFACT_BUCKET]")
@click.option("--role-arn", envvar="EXECUTION_ROLE_ARN", help="Role of the endpoint. [EXECUTION_ROLE_ARN]")
@click.option("--image", envvar="SERVING_IMAGE", help="URI of the serving image. [SERVING_IMAGE]")
@click.option(
    "--commit",
    envvar=["SOURCE_COMMIT", "CODEBUILD_RESOLVED_SOURCE_VERSION"],
    help="Commit that is deployed; of this directory by default. [SOURCE_COMMIT]",
)
@click.option(
    "--stages",
    type=click.Path(path_type=Path),
    default=HOME / "stages",
    help="Directory of the stage files; model-deploy/stages by default.",
)
@click.option("--approve", is_flag=True, help="Go on to prod when staging has passed its smoke test.")
@click.pass_context
def main(context: click.Context, **given: Any) -> None:
    """Deploy the pinned model version: to staging, and with --approve to prod."""
    context.obj = Order(**given)
    if context.invoked_subcommand is None:
        with plain_errors():
            _release(context.obj, dry=False)


@main.command("plan")
@click.pass_obj
def show_plan(order: Order) -> None:
    """Show what a deployment would change in every stage, and change nothing."""
    with plain_errors():
        _release(order, dry=True)


@main.command()
@click.option("--endpoint", required=True, help="Name of the endpoint, such as iris-decision-tree-staging.")
@click.option("--row", "rows", multiple=True, help="Values of one row between commas; may be given several times.")
@click.option("--csv", "file", type=click.Path(path_type=Path), help="CSV file of rows, with or without column names.")
@click.option("--plain", is_flag=True, help="Print the predictions alone, one a line.")
def invoke(endpoint: str, rows: tuple[str, ...], file: Path | None, plain: bool) -> None:
    """Send rows to an endpoint and print its predictions."""
    with plain_errors():
        if rows and file:
            raise DeploymentError("Both --row and --csv are given: give one of them.")
        sent = rows_from_file(file) if file else rows_from_arguments(rows)
        predictions = ask(boto3.client("sagemaker-runtime"), endpoint, sent.body, CSV).predictions
        if plain:
            for prediction in predictions:
                click.echo(prediction)
            return
        table = Table("row", "prediction")
        for cells, prediction in zip(sent.of(len(predictions)), predictions, strict=True):
            table.add_row(", ".join(cells), str(prediction))
        Console().print(table)


@main.command()
@click.option("--repository", required=True, help="URI of the ECR repository, without a tag.")
@click.option("--python", default="3.12", show_default=True, help="Python of the image, major.minor.")
@click.option("--serving", type=click.Path(path_type=Path), default=SERVING, help="What the image is built from.")
def image(repository: str, python: str, serving: Path) -> None:
    """Print the URI under which an image of model-deploy/serving is built, pushed and deployed."""
    with plain_errors():
        click.echo(f"{repository}:{serving_environment(serving, python).tag}")


def _release(order: Order, *, dry: bool) -> None:
    request = order.checked(STAGES if dry or order.approve else STAGES[:1])
    be_brief_with_mlflow()
    # MLflow takes two seconds to import: --help, image, invoke and every refusal above do without it.
    from model_deploy.executor import Executor
    from model_deploy.progress import ConsoleProgress
    from model_deploy.registry import Registry
    from model_deploy.release import Release, plan_stages, prepare

    progress = ConsoleProgress(Console())
    registry = Registry(request.tracking_uri)
    executor = Executor(
        cloudformation=boto3.client("cloudformation"),
        sagemaker=boto3.client("sagemaker"),
        logs=boto3.client("logs"),
        change_set_name=f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
        report=progress.happened,
    )
    with tempfile.TemporaryDirectory(prefix="model-deploy-") as room:
        candidate = prepare(request.pin, registry, request.serving, Path(room))
        progress.resolved(request.pin, candidate)
        plans = plan_stages(candidate, request, executor.stack)
        for each in plans:
            progress.planned(each)
        if dry:
            return
        release = Release(
            s3=boto3.client("s3"),
            runtime=boto3.client("sagemaker-runtime"),
            executor=executor,
            registry=registry,
            progress=progress,
            bucket=request.ground.bucket,
            template=request.template,
            commit=order.commit or head_commit(),
        )
        release.carry_out(candidate, plans, request.stages)
    for name in STAGES[len(request.stages) :]:
        progress.awaiting_approval(name)


for command in (package, smoke_test, push_image):
    main.add_command(command)


if __name__ == "__main__":
    main()
