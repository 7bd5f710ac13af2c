"""`python -m model_build` from start to end against the local cloud and a real MLflow server."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow.tracking import MlflowClient
from model_build.__main__ import main

ROLE = "arn:aws:iam::123456789012:role/model-build"
BAD_CSV = "a,b,kind\n1,2,x\n3,,y\n"


@dataclass
class Loop:
    """A model of its own in the shared cloud, and the command that builds it."""

    cloud: Any
    mlflow_uri: str
    bucket: str
    name: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.cloud.environment,
            "MLFLOW_TRACKING_URI": self.mlflow_uri,
            "MLFLOW_EXPERIMENT_NAME": self.name,
            "MODEL_NAME": self.name,
            "ARTIFACT_BUCKET": self.bucket,
            "EXECUTION_ROLE_ARN": ROLE,
            # Trials of one environment are forked from one process, which has imported what they need.
            "SOURCE_COMMIT": "first",
        }

    def build(self, *arguments: str) -> "Build":
        """Run the command in this process, which imports the SDK once for all of them."""
        summary = self.folder / f"{uuid.uuid4().hex}.json"
        options = ["--trials", "2", "--summary", str(summary), *arguments]
        result = CliRunner().invoke(main, options, env=self.environment, catch_exceptions=False)
        return Build(result.exit_code, result.output, json.loads(summary.read_text()) if summary.exists() else {})

    def versions(self) -> list[int]:
        found = MlflowClient(self.mlflow_uri).search_model_versions(f"name = '{self.name}'")
        return sorted(int(version.version) for version in found)


@dataclass(frozen=True)
class Build:
    """How one run of the command ended."""

    code: int
    output: str
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def loop(cloud: Any, mlflow_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    folder = tmp_path_factory.mktemp("walk")
    return Loop(cloud, mlflow_uri, cloud.new_bucket(), f"walk-{uuid.uuid4().hex[:6]}", folder)


@pytest.fixture(scope="module")
def built(loop: Loop) -> Build:
    """The first build."""
    build = loop.build()
    assert build.code == 0, build.output
    return build


def test_data_that_are_not_there_stop_the_build_before_it_starts(loop: Loop) -> None:
    build = loop.build("--data", f"s3://{loop.bucket}/nothing")
    assert build.code == 1
    assert f"There are no data at s3://{loop.bucket}/nothing" in build.output


def test_a_bucket_that_does_not_exist_is_named(loop: Loop) -> None:
    build = loop.build("--bucket", "no-such-bucket-here")
    assert build.code == 1
    assert "the bucket no-such-bucket-here" in build.output


def test_bad_data_end_with_the_reason_and_the_last_lines_of_the_log(loop: Loop) -> None:
    loop.cloud.client("s3").put_object(Bucket=loop.bucket, Key="bad/data.csv", Body=BAD_CSV)
    build = loop.build("--data", f"s3://{loop.bucket}/bad/", "--target", "kind")
    assert build.code == 1
    assert "Prepare failed: AlgorithmError: The data cannot be used: column 'b' has 1 missing value(s)" in build.output
    assert "\n    Prepare failed: The data cannot be used" in build.output
    assert build.summary["steps"]["Prepare"]["status"] == "Failed"


def test_a_gate_that_cannot_be_read_is_refused_before_anything_is_started(loop: Loop, built: Build) -> None:
    build = loop.build("--gate", "recall > 0.9", "--trials", "1")
    assert build.code == 1
    assert "The gate may use accuracy, f1, cv_accuracy, not recall" in build.output
    assert "Execution" not in build.output


def test_a_build_ends_with_its_trials_their_versions_and_where_to_look(loop: Loop, built: Build) -> None:
    assert [trial["status"] for trial in built.summary["trials"]] == ["Completed", "Completed"]
    assert built.summary["registered_versions"] == loop.versions()
    assert built.summary["best_version"] in loop.versions()
    for trial in built.summary["trials"]:
        assert set(trial["hyperparameters"]) == {"max-depth", "max-leaf-nodes"}
        assert f"{trial['metrics']['accuracy']:.4f}" in built.output
    experiment = MlflowClient(loop.mlflow_uri).get_experiment_by_name(loop.name)
    assert f"{loop.mlflow_uri}/#/experiments/{experiment.experiment_id}" in built.output
    assert f"{loop.mlflow_uri}/#/models/{loop.name}" in built.output


def test_a_version_knows_its_commit_execution_and_jobs(loop: Loop, built: Build) -> None:
    version = MlflowClient(loop.mlflow_uri).get_model_version(loop.name, str(loop.versions()[0]))
    assert version.tags["source_commit"] == "first"
    assert version.tags["pipeline_execution"] == built.summary["execution"]
    assert version.tags["training_job"] in {trial["training_job"] for trial in built.summary["trials"]}
    assert version.tags["training_job"].startswith(version.tags["tuning_job"])


def test_another_commit_of_the_same_code_reuses_both_steps_and_says_so(loop: Loop, built: Build) -> None:
    again = loop.build("--commit", "second")
    assert again.code == 0
    assert all(step["cached"] for step in again.summary["steps"].values())
    assert "Prepare: cached" in again.output
    assert "Tune: cached" in again.output
    assert again.summary["trials"] == built.summary["trials"]


def test_the_same_training_run_again_adds_no_version(loop: Loop, built: Build) -> None:
    before = loop.versions()
    again = loop.build("--no-cache")
    assert again.code == 0
    assert not any(step["cached"] for step in again.summary["steps"].values())
    assert again.summary["registered_versions"] == built.summary["registered_versions"]
    assert loop.versions() == before


def test_a_gate_no_model_passes_registers_nothing_and_says_why(loop: Loop, built: Build) -> None:
    before = loop.versions()
    build = loop.build("--gate", "accuracy > 0.999", "--trials", "1")
    assert build.code == 0
    assert "nothing is registered. The best one: not standard: missed accuracy > 0.999" in build.output
    assert loop.versions() == before


def test_an_interrupt_stops_the_execution(loop: Loop) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "model_build", "--no-cache", "--trials", "20"],
        env=loop.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        execution = next(line.split()[1] for line in process.stdout if line.startswith("Execution arn:"))
        next(line for line in process.stdout if line.startswith("Prepare: "))
        os.kill(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "is being stopped" in rest
    status = loop.cloud.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)
    assert status["PipelineExecutionStatus"] in ("Stopping", "Stopped")


def test_a_server_that_stops_in_the_middle_ends_the_build_with_that_reason(
    loop: Loop, stopping_server: Callable[[bytes], str]
) -> None:
    uri = stopping_server(b"runs/create")
    began = time.monotonic()
    build = loop.build("--no-cache", "--trials", "1", "--tracking-uri", uri)
    assert build.code == 1
    assert f"AlgorithmError: The MLflow server at {uri} cannot be reached" in build.output
    assert build.summary["steps"]["Tune"]["status"] == "Failed"
    assert "Traceback" not in build.output
    assert time.monotonic() - began < 180


def test_a_server_that_stops_after_the_last_trial_fails_the_build_too(
    loop: Loop, stopping_server: Callable[[bytes], str]
) -> None:
    uri = stopping_server(b"FINISHED")
    build = loop.build("--no-cache", "--trials", "1", "--tracking-uri", uri)
    assert build.code == 1
    assert "Tune: Succeeded" in build.output
    assert f"The MLflow server at {uri} cannot be reached" in build.output
    assert "Traceback" not in build.output
