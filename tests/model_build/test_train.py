"""train.py as SageMaker runs it, a process with arguments and variables, against a real MLflow server."""

import json
import re
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

SOURCE = Path(__file__).resolve().parents[2] / "model-build" / "source"


@pytest.fixture
def name() -> str:
    """The name of an experiment and a registered model of the test's own."""
    return f"iris-{uuid.uuid4().hex[:8]}"


def only_run(uri: str, experiment: str) -> Any:
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert len(runs) == 1
    return runs[0]


def test_a_server_that_is_down_ends_the_job_with_that_reason(train: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        job = train({"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}, tracking_uri=uri)
    assert job.code == 1
    assert job.failure.startswith(f"The MLflow server at {uri} cannot be reached")
    assert "Traceback" not in job.output


def test_a_model_that_misses_the_gate_is_logged_with_the_reason_and_not_registered(
    train: Any, mlflow_uri: str, name: str
) -> None:
    job = train(tracking_uri=mlflow_uri, experiment=name, model_name=name, max_leaf_nodes=2)
    assert job.code == 0, job.output
    run = only_run(mlflow_uri, name)
    assert run.data.tags["tier"] == "none"
    assert run.data.tags["gate_reason"].startswith("not standard: missed accuracy > 0.9 (it is 0.6")
    assert len(run.outputs.model_outputs) == 1
    assert MlflowClient(mlflow_uri).search_model_versions(f"name = '{name}'") == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, make_trainer: Callable[[Path], Any], mlflow_uri: str) -> Any:
    """One training that passes the gate, as a trial of a tuning job; and the same once more."""
    trainer = make_trainer(tmp_path_factory.mktemp("trained"))
    environment = {
        "TRAINING_JOB_NAME": "tune-iris-002-0a1b2c3d",
        "SOURCE_COMMIT": "0123abc",
        "SOURCE_TRIGGER": "a push",
        "PIPELINE_EXECUTION": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/iris-build/execution/abc",
    }
    arguments = {"tracking_uri": mlflow_uri, "experiment": "trained", "model_name": "trained", "max_leaf_nodes": 4}
    return [trainer.run_alone(environment, **arguments), trainer(environment, **arguments)]


def test_the_tuner_can_read_every_metric_from_the_output(trained: Any) -> None:
    found = dict(re.findall(r"metric (\w+)=([0-9.]+);", trained[0].output))
    assert set(found) == {"accuracy", "f1", "cv_accuracy", "test_accuracy", "test_f1"}
    assert 0.9 < float(found["accuracy"]) <= 1


def test_a_model_that_passes_is_registered_with_tier_and_lineage(trained: Any, mlflow_uri: str) -> None:
    version = MlflowClient(mlflow_uri).get_model_version("trained", "1")
    assert version.tags["tier"] == "gold"
    assert version.tags["source_commit"] == "0123abc"
    assert version.tags["source_trigger"] == "a push"
    assert version.tags["pipeline_execution"].endswith("execution/abc")
    assert version.tags["training_job"] == "tune-iris-002-0a1b2c3d"
    assert version.tags["tuning_job"] == "tune-iris"


def test_the_same_training_again_logs_a_run_and_adds_no_version(trained: Any, mlflow_uri: str) -> None:
    client = MlflowClient(mlflow_uri)
    runs = client.search_runs([client.get_experiment_by_name("trained").experiment_id])
    assert [run.data.tags["registered_version"] for run in runs] == ["1", "1"]
    assert len(client.search_model_versions("name = 'trained'")) == 1
    assert "is already trained version 1" in trained[1].output


def test_the_run_holds_parameters_metrics_data_and_the_picture(trained: Any, mlflow_uri: str) -> None:
    client = MlflowClient(mlflow_uri)
    run = client.get_run(client.get_model_version("trained", "1").run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"max_depth": "3", "max_leaf_nodes": "4", "min_samples_leaf": "1", "seed": "42"}
    assert set(run.data.metrics) == {"accuracy", "f1", "cv_accuracy", "test_accuracy", "test_f1"}
    assert [each.dataset.name for each in run.inputs.dataset_inputs] == ["train", "validation", "test"]
    picture = client.download_artifacts(run.info.run_id, "confusion_matrix.png")
    assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_the_model_is_safe_to_load_and_says_what_it_needs(trained: Any, mlflow_uri: str, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(mlflow_uri)
    folder = Path(mlflow.artifacts.download_artifacts("models:/trained/1", dst_path=str(tmp_path)))
    assert (folder / "model.skops").is_file()
    assert not list(folder.rglob("*.pkl"))
    info = mlflow.models.get_model_info(str(folder))
    assert info.signature.inputs.input_names()[0] == "sepal length (cm)"
    assert info.signature.outputs.to_dict() == [{"type": "long", "required": True}]
    assert "scikit-learn==1.9.0" in (folder / "requirements.txt").read_text().split()
    example = pd.DataFrame(**json.loads((folder / "input_example.json").read_text()))
    predicted = mlflow.sklearn.load_model(str(folder)).predict(example.to_numpy())
    np.testing.assert_array_equal(predicted, [0, 0, 1, 1, 2, 2])


def test_the_platform_gets_the_model_and_the_picture(trained: Any) -> None:
    assert (trained[0].folder / "model" / "model" / "MLmodel").is_file()
    assert (trained[0].folder / "output" / "data" / "confusion_matrix.png").is_file()


def test_a_job_that_is_stopped_leaves_its_run_killed(train: Any, mlflow_uri: str, name: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    shutil.copytree(SOURCE, code)
    # A fit that takes long, so that the stop meets an open run.
    text = (code / "train.py").read_text()
    slow = "    __import__('time').sleep(60)\n    return classifier.fit("
    (code / "train.py").write_text(text.replace("    return classifier.fit(", slow))
    process, _ = train.start(source=code, tracking_uri=mlflow_uri, experiment=name)
    client = MlflowClient(mlflow_uri)
    try:
        deadline = time.monotonic() + 60
        while not (found := client.get_experiment_by_name(name)) or not client.search_runs([found.experiment_id]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert only_run(mlflow_uri, name).info.status == "KILLED"
