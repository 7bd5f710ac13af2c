"""What the tests of model_deploy stand on: a tracking server with registered models, and an S3 that keeps objects."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import mlflow
import pytest
import sklearn
import yaml
from click.testing import CliRunner, Result
from mlflow.models import infer_signature
from model_deploy.__main__ import main
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

# A plugin that the SDK brings makes MLflow warn on every request: that would bury what a failed test says.
logging.getLogger("mlflow").setLevel(logging.ERROR)


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
def iris(mlflow_uri: str) -> str:
    """The name of a registered model with versions 1 and 2, where `champion` names 2."""
    mlflow.set_tracking_uri(mlflow_uri)
    for depth in (1, 3):
        with mlflow.start_run():
            log_tree(depth, name="model", registered_model_name="iris")
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("iris", "champion", "2")
    client.set_model_version_tag("iris", "2", "tier", "gold")
    return "iris"


ROOM = Path(__file__).parents[2] / "model-deploy"
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def build_image(home: Path, context: Path, uri: str) -> str:
    subprocess.run(
        [sys.executable, "-m", "local_aws", "build-image", "--home", home, "--tag", uri,
         "--build-arg", f"PYTHON_VERSION={PYTHON}", context],
        check=True, capture_output=True,
    )  # fmt: skip
    return uri


@pytest.fixture
def image_of(cloud: Any) -> Callable[[Path, str, str], str]:
    """Build an image that claims to fit the model, and runs a program of the test's own."""

    def build(directory: Path, program: str, digit: str) -> str:
        (directory / "Dockerfile").write_text(
            "ARG PYTHON_VERSION\nFROM python:${PYTHON_VERSION}-slim\nCOPY . /opt/program\n"
            'ENTRYPOINT ["python", "/opt/program/serve.py"]\n'
        )
        (directory / "serve.py").write_text(program)
        tag = f"py{PYTHON}-sklearn{sklearn.__version__}-{digit * 12}"
        return build_image(cloud.home, directory, f"{REPOSITORY}:{tag}")

    return build


@pytest.fixture
def predictions(cloud: Any) -> Callable[[str], list[str]]:
    """Ask an endpoint about three flowers."""

    def ask(endpoint: str) -> list[str]:
        answer = cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2\n5.0,2.0,3.5,1.0\n7.7,2.6,6.9,2.3\n"
        )
        return list(json.loads(answer["Body"].read())["predictions"])

    return ask


@pytest.fixture(scope="session")
def serving_image(cloud: Any) -> str:
    named = subprocess.run(
        [sys.executable, "-m", "model_deploy", "image", "--repository", REPOSITORY, "--python", PYTHON],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return build_image(cloud.home, ROOM / "serving", named.stdout.strip())


@pytest.fixture(scope="session")
def artifacts(cloud: Any) -> str:
    return str(cloud.new_bucket())


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage files, but for the minutes in which alarms are watched."""
    directory = tmp_path_factory.mktemp("stages")
    for path in (ROOM / "stages").iterdir():
        stage = yaml.safe_load(path.read_text())
        stage["update"] |= {"wait_seconds": 0, "keep_old_seconds": 0}
        stage["smoke_test"]["latency_milliseconds"] = 30_000
        (directory / path.name).write_text(yaml.safe_dump(stage))
    return directory


@pytest.fixture
def settings(cloud: Any, mlflow_uri: str, serving_image: str, artifacts: str) -> dict[str, str]:
    """The environment that a build has."""
    return {
        **cloud.environment,
        "MLFLOW_TRACKING_URI": mlflow_uri,
        "ARTIFACT_BUCKET": artifacts,
        "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/endpoint",
        "SERVING_IMAGE": serving_image,
        "SOURCE_COMMIT": "c0ffee",
        "COLUMNS": "200",
    }


@pytest.fixture
def deploy(settings: dict[str, str], stages: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line in this process: the seconds of importing MLflow and scikit-learn are paid once."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, ["--stages", str(stages), *arguments], env={**settings, **environment})

    return run


@pytest.fixture
def registered(iris: str, mlflow_uri: str) -> Callable[[str], Any]:
    """Register the two iris models once more under a name of the test's own, so that its endpoints are its own."""

    def register(name: str) -> Any:
        mlflow.set_tracking_uri(mlflow_uri)
        client = mlflow.MlflowClient()
        client.create_registered_model(name)
        for number in ("1", "2"):
            made = client.get_model_version(iris, number)
            client.create_model_version(
                name, str(made.source), made.run_id, model_id=str(made.source).rpartition("/")[2], tags={"tier": "gold"}
            )
        return client

    return register
