"""The endpoint's server against `mlflow models serve`: same model, same request of four rows, same load generator.

And against itself echoing its input, which is as fast as HTTP can be answered from Python here."""

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.models import infer_signature
from rich.console import Console
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from benchmarks.load import Load, generate, post
from benchmarks.results import Comparison, median
from benchmarks.served_process import ServedProcess, free_port, served

SERVING = Path("model-deploy/serving")
LOGS = Path(".local/bench")
ROUNDS = 3
SECONDS = 3.0
PEER = "mlflow models serve"
ECHO = "the same server, echoing"


def measure(console: Console) -> list[Comparison]:
    """Start, latency at 1 connection and throughput at 16, of ours, the peer and the echo, in alternating rounds."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as running:
        model = Path(directory) / "model"
        request = post("/invocations", _save_model(model))
        starts = {"ours": _starts("ours", model, 2), PEER: _starts(PEER, model, 1)}
        servers = {name: running.enter_context(_server(name, model)) for name in ("ours", PEER, ECHO)}
        starts = {name: [*seconds, servers[name].start_seconds] for name, seconds in starts.items()}
        one: dict[str, list[Load]] = {name: [] for name in servers}
        sixteen: dict[str, list[Load]] = {name: [] for name in servers}
        for round_number in range(ROUNDS):
            for name, server in servers.items():
                generate(server.port, request, connections=4, seconds=0.5)
                one[name].append(generate(server.port, request, connections=1, seconds=SECONDS))
                sixteen[name].append(generate(server.port, request, connections=16, seconds=SECONDS))
                console.print(
                    f"  round {round_number + 1}, {name}: {one[name][-1].median_milliseconds:.3f} ms, "
                    f"{sixteen[name][-1].requests_per_second:,.0f} requests/s"
                )
    latency = {name: median([load.median_milliseconds for load in loads]) for name, loads in one.items()}
    rate = {name: median([load.requests_per_second for load in loads]) for name, loads in sixteen.items()}
    start = {name: median(seconds) for name, seconds in starts.items()}
    return [
        Comparison("median latency, 1 connection", "ms", latency["ours"], latency[PEER], PEER, "lower", 10),
        Comparison("throughput, 16 connections", "requests/s", rate["ours"], rate[PEER], PEER, "higher", 20),
        Comparison("start to first /ping 200", "s", start["ours"], start[PEER], PEER, "lower", 4),
        Comparison("median latency, 1 connection", "ms", latency["ours"], latency[ECHO], ECHO, "lower"),
        Comparison("throughput, 16 connections", "requests/s", rate["ours"], rate[ECHO], ECHO, "higher"),
    ]


def _save_model(path: Path) -> bytes:
    """Save iris's decision tree as `model_build` does, and return a request of four of its rows."""
    flowers, species = load_iris(return_X_y=True, as_frame=True)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(flowers, species)
    mlflow.sklearn.save_model(
        tree,
        str(path),
        signature=infer_signature(flowers, tree.predict(flowers)),
        input_example=flowers[:4],
        pip_requirements=[],
        serialization_format="skops",
        skops_trusted_types=["sklearn.tree._tree.Tree"],
    )
    rows = flowers.iloc[[0, 50, 100, 149]]
    return json.dumps({"dataframe_split": rows.to_dict(orient="split")}).encode()


def _starts(name: str, model: Path, times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        with _server(name, model) as server:
            seconds.append(server.start_seconds)
    return seconds


def _server(name: str, model: Path) -> contextlib.AbstractContextManager[ServedProcess]:
    port = free_port()
    commands = {
        "ours": [sys.executable, str(SERVING / "serve.py"), "serve"],
        PEER: [
            *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"),
            *("--model-uri", str(model), "--host", "127.0.0.1", "--port", str(port)),
        ],
        ECHO: [sys.executable, "-m", "benchmarks.echo_server", str(port)],
    }
    environments = {
        "ours": {"SM_MODEL_DIR": str(model), "UVICORN_HOST": "127.0.0.1", "SAGEMAKER_BIND_TO_PORT": str(port)},
        PEER: {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},  # it looks for uvicorn there
        ECHO: {"PYTHONPATH": str(SERVING)},
    }
    log = LOGS / f"{name.split()[0].strip(',')}.log"
    return served(commands[name], port, environments[name], log)
