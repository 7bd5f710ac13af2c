"""`python -m model_build`: ship the code, bring the pipeline up to date, run it, and say what came of it.
Thin: options become Settings, the modules do the work, errors a user can cause become one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from model_build.data import ship_data
from model_build.errors import BuildError
from model_build.execution import Execution, put_pipeline, start, stop, watch
from model_build.failures import failures
from model_build.gate_check import check_gate
from model_build.pipeline import compile_definition, parameters
from model_build.progress import Progress
from model_build.report import print_failures, print_results, write_summary
from model_build.results import check_server, read_results
from model_build.settings import UNKNOWN, Range, Settings, checked
from model_build.shipping import Code, read_code, ship

LOG_WIDTH = 120
FAILED = 1
INTERRUPTED = 130


def source_commit() -> str:
    """The commit that CodeBuild checked out, or that this folder is at; `unknown` outside of both."""
    if resolved := os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION"):
        return resolved
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return UNKNOWN
    return found.stdout.strip() if found.returncode == 0 else UNKNOWN


def source_trigger() -> str:
    """Who started the CodeBuild build, or `manual`."""
    return os.environ.get("CODEBUILD_INITIATOR") or "manual"


@click.command(context_settings={"show_default": True, "max_content_width": 110})
@click.option("--definition", is_flag=True, help="Print the pipeline's JSON definition; call and start nothing.")
@click.option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", show_envvar=True, required=True, help="MLflow server.")
@click.option("--experiment", envvar="MLFLOW_EXPERIMENT_NAME", show_envvar=True, default="iris")
@click.option("--model-name", envvar="MODEL_NAME", show_envvar=True, default="iris", help="Registered model.")
@click.option("--bucket", envvar="ARTIFACT_BUCKET", show_envvar=True, required=True, help="For code and data.")
@click.option("--role-arn", envvar="EXECUTION_ROLE_ARN", show_envvar=True, required=True, help="Role of the jobs.")
@click.option("--subnets", envvar="SUBNETS", show_envvar=True, default="", help="Of a VPC for the jobs: ID,ID,...")
@click.option("--security-groups", envvar="SECURITY_GROUPS", show_envvar=True, default="", help="Likewise.")
@click.option(
    "--mlflow-secret", envvar="MLFLOW_SECRET_ARN", show_envvar=True, default="", help="ARN; the jobs' MLflow account."
)
@click.option("--image", envvar="TRAINING_IMAGE", show_envvar=True, default="", help="Instead of scikit-learn 1.9-0.")
@click.option("--data", default="iris", help="iris, wine, breast_cancer, or an s3:// location of CSV files.")
@click.option("--target", default="target", help="Column with the classes.")
@click.option("--seed", default=42, help="For split, model and search.")
@click.option("--max-depth", default="2:6", help="Range searched.", metavar="LOW:HIGH")
@click.option("--max-leaf-nodes", default="2:10", help="Range searched.", metavar="LOW:HIGH")
@click.option("--trials", default=4, help="Training jobs.")
@click.option("--parallel", default=2, help="Training jobs at the same time.")
@click.option("--strategy", default="Bayesian", help="Bayesian or Random.")
@click.option("--gate", default="gate.yaml", help="File in source/, or text such as 'accuracy > 0.95 and f1 > 0.9'.")
@click.option("--register", default="every", help="every model that passes the gate, or only the best so far.")
@click.option("--prepare-instance-type", default="ml.m5.large")
@click.option("--train-instance-type", default="ml.m5.large")
@click.option("--commit", envvar="SOURCE_COMMIT", default=source_commit, show_default="CodeBuild's or git's HEAD")
@click.option("--trigger", envvar="SOURCE_TRIGGER", default=source_trigger, show_default="CodeBuild's or manual")
@click.option("--cache/--no-cache", default=True, help="Reuse steps whose code, data and parameters are unchanged.")
@click.option("--summary", type=click.Path(path_type=Path, dir_okay=False), help="Write the outcome there as JSON.")
def main(definition: bool, summary: Path | None, **options: object) -> None:
    """Prepare the data, tune the model and register what passes the gate, as a SageMaker Pipeline."""
    try:
        settings = read_settings(options)
        code = read_code()
        check_gate(settings.gate)
        if definition:
            click.echo(compile_definition(settings, code))
            return
        console = Console()
        if not console.is_terminal:
            # A build log has no width of its own; the table needs this much.
            console.width = LOG_WIDTH
        sys.exit(build(settings, code, summary, console))
    except BuildError as error:
        raise click.ClickException(str(error)) from error
    except ClientError as error:
        reason = error.response["Error"]
        raise click.ClickException(
            f"AWS refused {error.operation_name}: {reason.get('Message')} ({reason.get('Code')})."
        ) from error
    except BotoCoreError as error:
        raise click.ClickException(f"AWS cannot be used: {error}") from error


def read_settings(options: dict[str, object]) -> Settings:
    """Make the settings from the command line's options and boto3's region."""
    region = boto3.Session().region_name
    if not region:
        raise BuildError("No AWS region is set: give AWS_DEFAULT_REGION or a profile with a region.")
    platform = ("bucket", "role_arn", "image", "prepare_instance_type", "train_instance_type")
    plain = ("tracking_uri", "experiment", "model_name", "seed", "gate", "cache")
    ranges = {name: Range.parse(str(options[name])) for name in ("max_depth", "max_leaf_nodes")}
    return checked(
        {
            **{name: options[name] for name in plain},
            "register_policy": options["register"],
            "platform": {
                "region": region,
                "network": {name: _listed(options[name]) for name in ("subnets", "security_groups")},
                "mlflow_secret_arn": options["mlflow_secret"],
                **{name: options[name] for name in platform},
            },
            "search": {**ranges, **{name: options[name] for name in ("trials", "parallel", "strategy")}},
            "data": {"location": options["data"], "target": options["target"]},
            "source": {"commit": options["commit"], "trigger": options["trigger"]},
        }
    )


def _listed(commas: object) -> list[str]:
    return [part.strip() for part in str(commas).split(",") if part.strip()]


def build(settings: Settings, code: Code, summary: Path | None, console: Console) -> int:
    """Run the pipeline and print what came of it; returns the exit code."""
    session = boto3.Session(region_name=settings.platform.region)
    sagemaker, s3 = session.client("sagemaker"), session.client("s3")
    check_server(settings.tracking_uri)
    shipped = ship(s3, settings.platform.bucket, code)
    console.print("Code: shipped" if shipped else "Code: unchanged, already in S3", *shipped)
    data_uri, data_digest = ship_data(s3, settings)
    definition = compile_definition(settings, code)
    new = put_pipeline(sagemaker, settings.pipeline_name, definition, settings.platform.role_arn)
    console.print(f"Pipeline {settings.pipeline_name}: {'created' if new else 'up to date'}")
    values = parameters(settings, code, data_uri, data_digest)
    arn = start(sagemaker, settings.pipeline_name, values, f"commit {settings.source.commit}")
    console.print(f"Execution {arn}", soft_wrap=True)

    execution = follow(sagemaker, arn, console)
    results = None
    if execution.status == "Succeeded":
        tune = execution.step("Tune")
        trials = tune.trials if tune else ()
        results = read_results(settings.tracking_uri, settings.experiment, settings.model_name, trials)
        print_results(console, execution, results, settings.model_name)
    else:
        print_failures(console, failures(session.client("logs"), execution))
    if summary:
        write_summary(summary, execution, results)
    return 0 if execution.status == "Succeeded" else FAILED


def follow(sagemaker: object, arn: str, console: Console) -> Execution:
    """Show the execution until it ends; an interrupt stops it, so that nothing runs on unwatched."""
    with Progress(console) as progress:
        try:
            for execution in watch(sagemaker, arn):
                progress.show(execution)
        except KeyboardInterrupt:
            stop(sagemaker, arn)
            console.print(f"Interrupted: {arn} is being stopped.", soft_wrap=True)
            sys.exit(INTERRUPTED)
    return execution


if __name__ == "__main__":
    main(prog_name="python -m model_build")
