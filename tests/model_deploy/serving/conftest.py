"""Real models and the server's process around each of them, as SageMaker would start it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

PROGRAM = Path(__file__).parents[3] / "model-deploy" / "serving" / "serve.py"


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    content_type: str
    body: bytes
    served: str = ""

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["message"])

    @property
    def predictions(self) -> list[Any]:
        assert self.status == 200, self.body
        return list(json.loads(self.body)["predictions"])


@dataclass(frozen=True)
class Endpoint:
    """A running server, and the model it serves as it is in this process."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            served = response.getheader("X-Amzn-SageMaker-Custom-Attributes", "")
            return Answer(response.status, response.getheader("content-type", ""), response.read(), served)
        finally:
            connection.close()

    def invoke(self, body: Any, content_type: str | None = "application/json", accept: str | None = None) -> Answer:
        """Send a body: bytes and text as they are, anything else as JSON."""
        if not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": accept}
        return self.ask("POST", "/invocations", body, {name: value for name, value in headers.items() if value})

    def raw(self) -> socket.socket:
        """A bare connection, to misbehave on."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(model: Path, port: int, workers: int | str = 1) -> dict[str, str]:
    """What SageMaker gives the program."""
    return {
        **os.environ,
        "SM_MODEL_DIR": str(model),
        "MODEL_NAME": "iris",
        "MODEL_VERSION": "7",
        "UVICORN_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers),
    }


def start(
    model: Path, log: Path, port: int | None = None, workers: int | str = 1, prelude: str | None = None
) -> Endpoint:
    """Start the program on `model` without waiting for it; `prelude` is Python to run in it first."""
    port = port or free_port()
    command = [sys.executable, str(PROGRAM), "serve"]
    if prelude:
        main = f"{prelude}\nimport os, serve, sys\nsys.exit(serve.main(['serve'], os.environ))"
        command = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(PROGRAM.parent)!r})\n{main}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment(model, port, workers),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Endpoint(port, process, log)


def wait_for_ping(endpoint: Endpoint, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if endpoint.ask("GET", "/ping").status == 200:
                return
        assert endpoint.process.poll() is None, endpoint.log.read_text()
        time.sleep(0.05)
    pytest.fail(f"the server did not come up: {endpoint.log.read_text()}")


def stop(endpoint: Endpoint) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(endpoint.process.pid, signal.SIGKILL)
    endpoint.process.wait()


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="session")
def iris() -> tuple[pd.DataFrame, pd.Series]:
    flowers, species = load_iris(return_X_y=True, as_frame=True)
    return flowers, species


def save(model: Any, path: Path, rows: Any, trusted: tuple[str, ...] = (), **options: Any) -> Path:
    """Save a model in the safe format, with what the endpoint needs of it."""
    mlflow.sklearn.save_model(
        model,
        str(path),
        signature=options.pop("signature", None) or infer_signature(rows, model.predict(rows)),
        pip_requirements=["scikit-learn"],
        serialization_format=options.pop("serialization_format", "skops"),
        skops_trusted_types=list(trusted),
        input_example=rows[:3],
        **options,
    )
    return path


TREE = ("sklearn.tree._tree.Tree",)


@pytest.fixture(scope="session")
def tree_model(directory: Path, iris: tuple[pd.DataFrame, pd.Series]) -> Path:
    """A tree fitted on a data frame: four named doubles, whole numbers as classes."""
    flowers, species = iris
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(flowers, species)
    return save(tree, directory / "tree", flowers, TREE)


@pytest.fixture(scope="session")
def customers() -> pd.DataFrame:
    """Columns of several types; the income of some is not known, which the signature then allows."""
    random = np.random.default_rng(0)
    size = 60
    income = random.normal(3000, 500, size)
    income[::7] = np.nan
    return pd.DataFrame(
        {
            "age": random.integers(18, 90, size),
            "income": income,
            "city": random.choice(["Łódź", "Graz", "Oslo, west"], size),
            "member": random.choice([True, False], size),
        }
    )


@pytest.fixture(scope="session")
def pipeline_model(directory: Path, customers: pd.DataFrame) -> Path:
    """A pipeline that finds its columns by name, with words as classes."""
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["city", "member"]),
        ]
    )
    classes = np.where(customers["age"] > 50, "gold", "silver")
    pipeline = make_pipeline(columns, LogisticRegression()).fit(customers, classes)
    return save(pipeline, directory / "pipeline", customers, ("numpy.dtype",))


@pytest.fixture(scope="session")
def regressor_model(directory: Path, iris: tuple[pd.DataFrame, pd.Series]) -> Path:
    """A regressor of two targets fitted on a matrix: the signature is a tensor of rows."""
    rows = iris[0].to_numpy()
    regressor = DecisionTreeRegressor(max_depth=4, random_state=0).fit(rows[:, :3], rows[:, 2:])
    return save(regressor, directory / "regressor", rows[:, :3], TREE)


@pytest.fixture(scope="session")
def boosting_model(directory: Path, iris: tuple[pd.DataFrame, pd.Series]) -> Path:
    """A model that predicts in OpenMP's threads, answering with probabilities."""
    flowers, species = iris
    boosting = HistGradientBoostingClassifier(max_iter=5).fit(flowers, species)
    trusted = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
    return save(boosting, directory / "boosting", flowers, trusted, pyfunc_predict_fn="predict_proba")


@pytest.fixture(scope="session")
def serving(directory: Path) -> Iterator[Callable[..., Endpoint]]:
    """Serve a model for the whole session, and wait until it answers."""
    running: list[Endpoint] = []

    def serve(model: Path, workers: int = 1) -> Endpoint:
        running.append(start(model, directory / f"{model.name}-{len(running)}.log", workers=workers))
        wait_for_ping(running[-1])
        return running[-1]

    yield serve
    for endpoint in running:
        stop(endpoint)


@pytest.fixture(scope="session")
def tree(serving: Callable[..., Endpoint], tree_model: Path) -> Endpoint:
    return serving(tree_model, workers=2)


@pytest.fixture(scope="session")
def pipeline(serving: Callable[..., Endpoint], pipeline_model: Path) -> Endpoint:
    return serving(pipeline_model)


@pytest.fixture(scope="session")
def regressor(serving: Callable[..., Endpoint], regressor_model: Path) -> Endpoint:
    return serving(regressor_model)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Endpoint]]:
    """Start servers of the test's own, which may come up or not; all are ended with it."""
    running: list[Endpoint] = []

    def serve(model: Path, **options: Any) -> Endpoint:
        running.append(start(model, tmp_path / f"server-{len(running)}.log", **options))
        return running[-1]

    yield serve
    for endpoint in running:
        stop(endpoint)


@pytest.fixture
def refusal(own_server: Callable[..., Endpoint]) -> Callable[[Path], str]:
    """Start the program on a model it must refuse, and return what it says."""

    def refuse(model: Path, **options: Any) -> str:
        endpoint = own_server(model, **options)
        assert endpoint.process.wait(timeout=60) == 1, endpoint.log.read_text()
        said = endpoint.log.read_text()
        assert "Traceback" not in said
        assert "Not serving: " in said
        return said

    return refuse


@pytest.fixture(scope="session")
def environment_for() -> Callable[[Path, int], dict[str, str]]:
    """What the program is given for a model and a number of workers, with a port of its own."""
    return lambda model, workers: environment(model, free_port(), workers)


@pytest.fixture(scope="session")
def until_ready() -> Callable[[Endpoint], None]:
    """Wait until a server answers `/ping`."""
    return wait_for_ping
