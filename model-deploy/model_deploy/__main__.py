"""`python -m model_deploy`: deploy the pinned model version; show the plan; send rows; name the serving image.
A thin door: it reads arguments and environment, calls, prints, and turns what a user can cause into one sentence."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from model_deploy.endpoint import CSV, predict
from model_deploy.errors import DeploymentError
from model_deploy.image import read_image_tag, serving_environment
from model_deploy.invocation import rows_from_arguments, rows_from_file
from model_deploy.pin import parse_pin
from model_deploy.stage import STAGES, read_stage

HOME = Path(__file__).parents[1]


@dataclass(frozen=True)
class Order:
    """What was asked for, as the arguments and the environment say it; nothing is checked yet."""

    model_name: str | None
    model_version: str | None
    tracking_uri: str | None
    bucket: str | None
    role_arn: str | None
    image: str | None
    commit: str | None
    stages: Path
    approve: bool


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
        with _plain_errors():
            _release(context.obj, dry=False)


@main.command("plan")
@click.pass_obj
def show_plan(order: Order) -> None:
    """Show what a deployment would change in every stage, and change nothing."""
    with _plain_errors():
        _release(order, dry=True)


@main.command()
@click.option("--endpoint", required=True, help="Name of the endpoint, such as iris-decision-tree-staging.")
@click.option("--row", "rows", multiple=True, help="Values of one row between commas; may be given several times.")
@click.option("--csv", "file", type=click.Path(path_type=Path), help="CSV file of rows, with or without column names.")
@click.option("--plain", is_flag=True, help="Print the predictions alone, one a line.")
def invoke(endpoint: str, rows: tuple[str, ...], file: Path | None, plain: bool) -> None:
    """Send rows to an endpoint and print its predictions."""
    with _plain_errors():
        if rows and file:
            raise DeploymentError("Both --row and --csv are given: give one of them.")
        sent = rows_from_file(file) if file else rows_from_arguments(rows)
        predictions = predict(boto3.client("sagemaker-runtime"), endpoint, sent.body, CSV)
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
@click.option(
    "--serving", type=click.Path(path_type=Path), default=HOME / "serving", help="What the image is built from."
)
def image(repository: str, python: str, serving: Path) -> None:
    """Print the URI under which an image of model-deploy/serving is built, pushed and deployed."""
    with _plain_errors():
        click.echo(f"{repository}:{serving_environment(serving, python).tag}")


def _release(order: Order, *, dry: bool) -> None:
    pin = parse_pin(order.model_name, order.model_version)
    wanted = STAGES if dry or order.approve else STAGES[:1]
    stages = {name: read_stage(order.stages / f"{name}.yaml") for name in wanted}
    template = (HOME / "endpoint.yaml").read_text(encoding="utf-8")
    bucket = _set("ARTIFACT_BUCKET", order.bucket, "the S3 bucket for model packages")
    role_arn = _set("EXECUTION_ROLE_ARN", order.role_arn, "the role of the endpoint")
    tracking_uri = _set("MLFLOW_TRACKING_URI", order.tracking_uri, "the address of the MLflow server")
    serving = read_image_tag(order.image)

    # A server that is down is to be found out within a minute, not within the ten minutes of MLflow's own patience.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    # MLflow takes two seconds to import: --help, image, invoke and every refusal above do without it.
    from model_deploy.deployment import Ground
    from model_deploy.executor import Executor
    from model_deploy.progress import ConsoleProgress
    from model_deploy.registry import Registry
    from model_deploy.release import Release, plan_stages, prepare

    progress = ConsoleProgress(Console())
    registry = Registry(tracking_uri)
    ground = Ground(bucket, role_arn, str(order.image).strip())
    executor = Executor(
        cloudformation=boto3.client("cloudformation"),
        sagemaker=boto3.client("sagemaker"),
        logs=boto3.client("logs"),
        change_set_name=f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
        report=progress.happened,
    )
    with tempfile.TemporaryDirectory(prefix="model-deploy-") as room:
        candidate = prepare(pin, registry, serving, Path(room))
        progress.resolved(pin, candidate)
        plans = plan_stages(candidate, stages, ground, executor, template)
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
            bucket=bucket,
            template=template,
            commit=order.commit or _head_commit(),
        )
        release.carry_out(candidate, plans, stages)
    for name in STAGES[len(wanted) :]:
        progress.awaiting_approval(name)


def _set(variable: str, value: str | None, meaning: str) -> str:
    if not value or not value.strip():
        raise DeploymentError(f"{variable} is not set: set it to {meaning}.")
    return value.strip()


def _head_commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HOME, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else "unknown"


@contextmanager
def _plain_errors() -> Iterator[None]:
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


if __name__ == "__main__":
    main()
