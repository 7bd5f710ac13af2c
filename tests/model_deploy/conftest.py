"""What the tests of model_deploy stand on: a tracking server with registered models, and an S3 that keeps objects."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

# A plugin that the SDK brings makes MLflow warn on every request: that would bury what a failed test says.
logging.getLogger("mlflow").setLevel(logging.ERROR)


@dataclass(frozen=True)
class TrackingServer:
    """A running MLflow server."""

    uri: str


@pytest.fixture(scope="session")
def tracking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    directory = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{directory / 'mlflow.db'}",
            "--artifacts-destination",
            str(directory / "artifacts"),
        ],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        cwd=directory,
        stdout=(directory / "log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        uri = f"http://127.0.0.1:{port}"
        _wait_until_healthy(uri, process, directory / "log")
        yield TrackingServer(uri)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_healthy(uri: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the MLflow server did not come up:\n{log.read_text()[-3000:]}")


_FLOWERS = load_iris(as_frame=True)
_SPECIES = _FLOWERS.target.map(dict(enumerate(_FLOWERS.target_names)))


def log_tree(depth: int, **where: Any) -> None:
    """Train an iris tree and log it as train.py does: safe format, signature, input example, explicit requirements."""
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(_FLOWERS.data, _SPECIES)
    log = mlflow.sklearn.save_model if "path" in where else mlflow.sklearn.log_model
    log(
        tree,
        signature=infer_signature(_FLOWERS.data, _SPECIES),
        input_example=_FLOWERS.data.iloc[[0, 60, 120]],
        serialization_format="skops",
        skops_trusted_types=["sklearn.tree._tree.Tree"],
        pip_requirements=[f"scikit-learn=={sklearn.__version__}", "skops==0.16.0"],
        **where,
    )


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an iris tree, as MLflow logs it; copy it before changing it."""
    directory = tmp_path_factory.mktemp("model") / "model"
    log_tree(3, path=directory)
    return directory


@pytest.fixture(scope="session")
def iris(tracking_server: TrackingServer) -> str:
    """The name of a registered model with versions 1 and 2, where `champion` names 2."""
    mlflow.set_tracking_uri(tracking_server.uri)
    for depth in (1, 3):
        with mlflow.start_run():
            log_tree(depth, name="model", registered_model_name="iris")
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("iris", "champion", "2")
    client.set_model_version_tag("iris", "2", "tier", "gold")
    return "iris"
