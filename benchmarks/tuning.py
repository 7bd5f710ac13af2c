"""A tuning job of 20 trials in the local cloud against the same 20 trainings as plain processes, one after another.

Both log to the same MLflow server, and what they leave there must be the same: runs, metrics and registered versions.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import mlflow
from rich.console import Console

from benchmarks.cloud import server
from benchmarks.results import Comparison

TRIALS, PARALLEL = 20, 4
GOAL = 5
PEER = "python train.py, 20 times in a row"
SOURCE = Path("model-build/source")
ROLE = "arn:aws:iam::123456789012:role/bench"
_OF_THE_TOOLKIT = ("sagemaker_", "_tuning_objective_metric")


def measure(console: Console) -> list[Comparison]:
    """Tune, repeat each trial as a plain process, compare what MLflow has, and then the seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server("local_aws", Path(folder) / "aws") as (cloud, _),
        server("mlflow_server", Path(folder) / "mlflow") as (tracking_uri, _),
    ):
        account = Account(cloud)
        trials, ours = account.tune(tracking_uri, Path(folder))
        console.print(f"  tuning job: {ours:.1f} s")
        theirs = 0.0
        data = account.channels(trials[0], Path(folder) / "data")
        for trial in trials:
            theirs += plain_process(trial, data, Path(folder) / "plain")
        console.print(f"  plain processes: {theirs:.1f} s")
        compare(tracking_uri)
    return [Comparison(f"{TRIALS} trials", "s", ours, theirs, PEER, "lower", GOAL)]


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Account:
    """The bucket and the jobs of this benchmark in a local cloud."""

    def __init__(self, cloud: str) -> None:
        self._environment = {
            "AWS_ENDPOINT_URL": cloud,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        self._session = boto3.Session("bench", "bench", region_name="us-east-1")
        self._cloud = cloud
        self._client("s3").create_bucket(Bucket="benchmark")
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        name, iam = ROLE.rpartition("/")[2], self._client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=_policy(everything))

    def _client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._cloud)

    def tune(self, tracking_uri: str, folder: Path) -> tuple[list[dict[str, Any]], float]:
        """Run the build pipeline; the descriptions of its trials, and the seconds its tuning job took."""
        summary = folder / "build.json"
        options = {
            "--tracking-uri": tracking_uri,
            "--experiment": "ours",
            "--model-name": "ours",
            "--bucket": "benchmark",
            "--role-arn": ROLE,
            "--trials": str(TRIALS),
            "--parallel": str(PARALLEL),
            "--summary": str(summary),
        }
        words = [word for pair in options.items() for word in pair]
        built = subprocess.run(
            [sys.executable, "-m", "model_build", *words],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            raise RuntimeError(f"model_build failed:\n{built.stdout[-3000:]}")
        sagemaker = self._client("sagemaker")
        names = [trial["training_job"] for trial in json.loads(summary.read_text())["trials"]]
        trials = [sagemaker.describe_training_job(TrainingJobName=name) for name in names]
        job = sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=trials[0]["TuningJobArn"].rpartition("/")[2]
        )
        return trials, (job["HyperParameterTuningEndTime"] - job["CreationTime"]).total_seconds()

    def channels(self, trial: dict[str, Any], folder: Path) -> dict[str, Path]:
        """Bring a trial's channels here; each channel's folder."""
        s3 = self._client("s3")
        folders = {}
        for channel in trial["InputDataConfig"]:
            target = folder / channel["ChannelName"]
            target.mkdir(parents=True)
            bucket, _, prefix = channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://").partition("/")
            for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
                s3.download_file(bucket, item["Key"], str(target / Path(item["Key"]).name))
            folders[channel["ChannelName"]] = target
        return folders


def plain_process(trial: dict[str, Any], data: dict[str, Path], folder: Path) -> float:
    """Run train.py with a trial's hyperparameters under another experiment and model name; the seconds it took."""
    given = {**trial["HyperParameters"], "experiment": "theirs", "model-name": "theirs"}
    words = [
        word
        for name, value in given.items()
        if not name.startswith(_OF_THE_TOOLKIT)
        for word in (f"--{name}", str(_plain(value)))
    ]
    for name in ("model", "output"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    variables = {f"SM_CHANNEL_{name.upper()}": str(path) for name, path in data.items()}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, str(SOURCE / "train.py"), *words],
        env={
            **environment,
            **trial.get("Environment", {}),
            **variables,
            "TRAINING_JOB_NAME": trial["TrainingJobName"],
            "SM_MODEL_DIR": str(folder / "model"),
            "SM_OUTPUT_DIR": str(folder / "output"),
        },
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def compare(tracking_uri: str) -> None:
    """Refuse to compare times of different work: raises RuntimeError where MLflow holds different results."""
    client = mlflow.MlflowClient(tracking_uri)
    left: dict[str, dict[str, Any]] = {}
    for name in ("ours", "theirs"):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise RuntimeError(f"the experiment {name} was never made")
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        left[name] = {
            "runs": sorted((sorted(run.data.params.items()), sorted(run.data.metrics.items())) for run in runs),
            "versions": len(client.search_model_versions(f"name='{name}'")),
        }
    if len(left["ours"]["runs"]) != TRIALS or left["ours"] != left["theirs"]:
        told = {name: f"{len(it['runs'])} runs, {it['versions']} versions" for name, it in left.items()}
        different = [
            pair for pair in zip(left["ours"]["runs"], left["theirs"]["runs"], strict=False) if pair[0] != pair[1]
        ]
        raise RuntimeError(f"the two did different work: {told}; the first runs that differ: {different[:1]}")
