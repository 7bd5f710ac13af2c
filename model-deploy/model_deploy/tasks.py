"""The commands that the pipeline's builds run: package the pinned version, test a stage, push the serving image.
As thin as the rest of the command line; cicd/tasks/ calls them."""

import gc
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import click
from rich.console import Console

from model_deploy.errors import DeploymentError
from model_deploy.handover import ReleasedVersion, StageTest, read_release, write_handover
from model_deploy.image import serving_environment
from model_deploy.image_push import parse_repository, push_unless_there
from model_deploy.order import SERVING, Order, be_brief_with_mlflow, head_commit, required
from model_deploy.pin import Pin, parse_pin
from model_deploy.plain_errors import plain_errors
from model_deploy.registry_rest import RestRegistry
from model_deploy.served import served_package
from model_deploy.smoke import run_smoke_test
from model_deploy.stacks import read_stack
from model_deploy.stage import STAGES
from model_deploy.stage_record import Recorder, deployment_tags
from model_deploy.version import RegisteredVersion

# The log of a build has no width of its own; the plan needs this much.
_LOG_WIDTH = 120

_repository = click.option(
    "--repository",
    envvar="SERVING_REPOSITORY",
    help="URI of the ECR repository of serving images. [SERVING_REPOSITORY]",
)
_python = click.option(
    "--python", envvar="SERVING_PYTHON", default="3.12", help="Python of the image, major.minor. [SERVING_PYTHON]"
)
_summary = click.option(
    "--summary", type=click.Path(path_type=Path, dir_okay=False), help="Write the outcome there as JSON."
)


@click.command()
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@_repository
@_python
@click.pass_obj
def package(order: Order, output: Path, repository: str | None, python: str) -> None:
    """Verify the pinned version, upload its package, and write what the pipeline deploys, tests and approves by."""
    with plain_errors(), _no_garbage():
        # The pin is what a person has just edited: it is the first to be told of.
        parse_pin(order.model_name, order.model_version)
        if not order.image:
            uri = required("SERVING_REPOSITORY", repository, "the URI of the ECR repository of serving images")
            order = replace(order, image=f"{uri}:{serving_environment(SERVING, python).tag}")
        _package(order, output)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Looking for garbage, of which imports leave none, takes a fifth of the seconds in which a release is packaged."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _package(order: Order, output: Path) -> None:
    request = order.checked(STAGES)
    be_brief_with_mlflow()
    # MLflow takes two seconds to import: every refusal above does without it.
    from model_deploy.approval import approval_text
    from model_deploy.progress import ConsoleProgress
    from model_deploy.registry import Registry
    from model_deploy.release import plan_stages, prepare
    from model_deploy.store import ship_package

    console = Console()
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    progress, registry = ConsoleProgress(console), Registry(request.tracking_uri)
    cloudformation = boto3.client("cloudformation")
    with tempfile.TemporaryDirectory(prefix="model-deploy-") as room:
        candidate = prepare(request.pin, registry, request.serving, Path(room))
        progress.resolved(request.pin, candidate)
        plans = plan_stages(candidate, request, lambda name: read_stack(cloudformation, name), ahead=True)
        for each in plans:
            progress.planned(each)
        metrics = registry.metrics(candidate.version)
        key, bucket = candidate.package_key, request.ground.bucket
        uploaded = ship_package(boto3.client("s3"), bucket, key, candidate.package)
        progress.shipped(f"s3://{bucket}/{key}", uploaded=uploaded)
    version, commit = candidate.version, order.commit or head_commit()
    deployments = [each.deployment for each in plans]
    released = ReleasedVersion(
        model_name=version.model_name,
        model_version=version.number,
        package=f"s3://{bucket}/{key}",
        commit=commit,
        example=candidate.smoke_test.body.decode(),
        expected=candidate.smoke_test.expected,
        stages={
            each.stage: StageTest(
                endpoint=each.endpoint_name,
                latency_milliseconds=request.stages[each.stage].smoke_test.latency_milliseconds,
            )
            for each in deployments
        },
    )
    text = approval_text(version, plans, metrics, candidate.package.digest, commit)
    variables = {
        "MODEL_NAME": version.model_name,
        "MODEL_VERSION": str(version.number),
        "PLAN": text,
        "MODEL_URL": version.page(request.tracking_uri),
    }
    write_handover(output, request.template, deployments, released, variables)
    console.print(f"{text}\nWritten to {output}", markup=False, highlight=False, soft_wrap=True)


@click.command("smoke-test")
@click.option("--stage", envvar="STAGE", help=f"Stage to test: {' or '.join(STAGES)}. [STAGE]")
@click.option(
    "--release", type=click.Path(path_type=Path), default=Path("release"), help="Folder that package has written."
)
@_summary
@click.pass_obj
def smoke_test(order: Order, stage: str | None, release: Path, summary: Path | None) -> None:
    """Ask a stage's endpoint what the packaged model answers, then move the stage's alias to it in the registry."""
    with plain_errors():
        stage = required("STAGE", stage, f"the stage to test, {' or '.join(STAGES)}")
        tracking_uri = order.tracking_address()
        released = read_release(release)
        if stage not in released.stages:
            raise DeploymentError(
                f"STAGE is {stage!r}, and the release in {release} is for {' and '.join(released.stages)}: set it to "
                "one of them."
            )
        endpoint = released.stages[stage].endpoint
        found = served_package(boto3.client("sagemaker"), endpoint)
        if found != released.package:
            raise DeploymentError(
                f"The endpoint {endpoint} serves the model package {found}, not {released.package}, which is "
                f"{released.model_name} version {released.model_version}. Its stack was not updated, or another "
                "deployment came in between: see the stack's events, and run the pipeline again."
            )
        result = run_smoke_test(
            boto3.client("sagemaker-runtime"),
            endpoint,
            released.smoke_test,
            released.stages[stage].latency_milliseconds,
        )
        click.echo(
            f"Smoke test of {endpoint} passed: {result.rows} rows as the model predicts them, "
            f"{result.median_milliseconds:.1f} ms"
        )
        recorder, version = _registry(tracking_uri, released)
        now = datetime.now(UTC)
        tags = deployment_tags(version, stage, endpoint, released.commit, now, changed=stage not in version.aliases)
        recorder.record(version, stage, tags)
        click.echo(f"{version.model_name}@{stage} is version {version.number}")
        milliseconds = round(result.median_milliseconds, 3)
        _write(summary, {"endpoint": endpoint, "served": released.smoke_test.served_as, "milliseconds": milliseconds})


def _registry(tracking_uri: str, released: ReleasedVersion) -> tuple[Recorder, RegisteredVersion]:
    name, number = released.model_name, released.model_version
    if tracking_uri.startswith(("http://", "https://")):
        rest = RestRegistry(tracking_uri)
        return rest, rest.find(name, number)
    # A managed server is named by an ARN, and its requests are signed: that is a plug-in's work, inside MLflow.
    be_brief_with_mlflow()
    from model_deploy.registry import Registry

    registry = Registry(tracking_uri)
    return registry, registry.resolve(Pin(name, str(number)))


@click.command("push-image")
@_repository
@_python
@click.option("--serving", type=click.Path(path_type=Path), default=SERVING, help="What the image is built from.")
@_summary
def push_image(repository: str | None, python: str, serving: Path, summary: Path | None) -> None:
    """Build and push the serving image, unless one of these contents is in the repository."""
    with plain_errors():
        uri = required("SERVING_REPOSITORY", repository, "the URI of the ECR repository of serving images")
        where, what = parse_repository(uri), serving_environment(serving, python)
        pushed = push_unless_there(boto3.client("ecr", region_name=where.region), where, what, serving)
        click.echo(f"{uri}:{what.tag} {'is pushed' if pushed else 'is there already'}")
        _write(summary, {"image": f"{uri}:{what.tag}", "pushed": pushed})


def _write(path: Path | None, outcome: dict[str, Any]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(outcome, indent=2) + "\n", encoding="utf-8")
