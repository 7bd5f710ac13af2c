"""Our tracking server against `mlflow server` with its defaults: the same PostgreSQL, accounts on, the same requests.

The peer runs as `pip install mlflow[auth]` has it: there neither uvloop nor httptools is installed, as they are here.
And beside the goals: the peer without accounts, a metric a request, and a large artifact with the peaks of memory.
"""

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests
from rich.console import Console

from benchmarks import mlflow_clients
from benchmarks.load import Load, generate, post
from benchmarks.results import Comparison, median
from benchmarks.served_process import free_port, served

ROUNDS = 3
SECONDS = 4.0
METRICS = 20
PEER = "mlflow server"
OPEN_PEER = "mlflow server without accounts"
LOGS = Path(".local/bench")
START_LIMIT_SECONDS = 6.0


@dataclass(frozen=True)
class Server:
    """A tracking server, and who logs in: `authorization` is the header, empty where nobody is asked."""

    port: int
    user: str = ""
    password: str = ""

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def authorization(self) -> str:
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}" if self.user else ""

    @property
    def environment(self) -> dict[str, str]:
        """What MLflow's client is told."""
        login = {"MLFLOW_TRACKING_USERNAME": self.user, "MLFLOW_TRACKING_PASSWORD": self.password}
        return {"MLFLOW_TRACKING_URI": self.uri, **(login if self.user else {})}

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """A POST to MLflow's API; raises where it is refused."""
        headers = {"Authorization": self.authorization} if self.user else {}
        answer = requests.post(f"{self.uri}/api/2.0/mlflow/{path}", json=body, headers=headers, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def member(self) -> "Server":
        """The same server for a user who administers nothing but an experiment of their own."""
        member = Server(self.port, f"user-{time.time_ns()}", "a-long-password")
        self.call("users/create", username=member.user, password=member.password)
        return member


def measure(console: Console) -> list[Comparison]:
    """Start, metrics by 1 and 16 clients in alternating rounds, a training's worth of metrics, and a large file."""
    LOGS.mkdir(parents=True, exist_ok=True)
    starts = [_embedded_start() for _ in range(ROUNDS)]
    console.print("  up, embedded: " + ", ".join(f"{seconds:.1f}" for seconds in starts) + " s")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        home = Path(folder) / "home"
        ours = running.enter_context(_ours(home))
        clients = {"ours": ours.member(), "ours, administrator": ours}
        large = mlflow_clients.large_artifact(home, ours.environment, console)
        batches, singles = mlflow_clients.training(clients["ours"].environment, console)
        one: dict[str, list[Load]] = {}
        sixteen: dict[str, list[Load]] = {}
        _rounds(clients, one, sixteen, console)
        # Not at once: the peer's processes cost when they are idle, too.
        for name, accounts in ((PEER, True), (OPEN_PEER, False)):
            with _peer(home, accounts) as peer:
                _rounds({name: peer.member() if accounts else peer}, one, sixteen, console)
    rate = {name: median([load.requests_per_second for load in loads]) for name, loads in one.items()}
    many = {name: median([load.requests_per_second for load in loads]) for name, loads in sixteen.items()}
    p99 = {name: median([load.p99_milliseconds for load in loads]) for name, loads in sixteen.items()}
    return [
        Comparison("up to healthy, embedded", "s", median(starts), START_LIMIT_SECONDS, "the limit", "lower", 1),
        Comparison("log-batch of 20, 1 client", "requests/s", rate["ours"], rate[PEER], PEER, "higher", 4),
        Comparison("log-batch of 20, 16 clients", "requests/s", many["ours"], many[PEER], PEER, "higher", 1),
        Comparison("log-batch of 20, 16 clients, p99", "ms", p99["ours"], p99[PEER], PEER, "lower", 1),
        Comparison("log-batch of 20, 1 client", "requests/s", rate["ours"], rate[OPEN_PEER], OPEN_PEER, "higher"),
        Comparison("log-batch of 20, 16 clients", "requests/s", many["ours"], many[OPEN_PEER], OPEN_PEER, "higher"),
        Comparison("log-batch of 20, 16 clients, p99", "ms", p99["ours"], p99[OPEN_PEER], OPEN_PEER, "lower"),
        Comparison("100 metrics x 1,000 steps", "s", batches, singles, "log_metric, one by one", "lower", 20),
        *large,
    ]


def _rounds(
    servers: dict[str, Server], one: dict[str, list[Load]], sixteen: dict[str, list[Load]], console: Console
) -> None:
    for server in servers.values():
        generate(server.port, _log_batches(server, 4), connections=4, seconds=1)
    for number, (name, server) in itertools.product(range(ROUNDS), servers.items()):
        one.setdefault(name, []).append(generate(server.port, _log_batches(server, 1), 1, SECONDS))
        sixteen.setdefault(name, []).append(generate(server.port, _log_batches(server, 16), 16, SECONDS))
        console.print(
            f"  round {number + 1}, {name}: {one[name][-1].requests_per_second:,.1f} requests/s by 1 client, "
            f"{sixteen[name][-1].requests_per_second:,.1f} by 16 (p99 {sixteen[name][-1].p99_milliseconds:,.0f} ms)"
        )


def _log_batches(server: Server, connections: int) -> Callable[[int], Iterator[bytes]]:
    """Requests that log the next step of 20 metrics, each connection to a run of its own."""
    experiment = server.call("experiments/create", name=f"bench-{time.time_ns()}")["experiment_id"]
    runs = [server.call("runs/create", experiment_id=experiment)["run"]["info"]["run_id"] for _ in range(connections)]

    def requests_of(connection: int) -> Iterator[bytes]:
        for step in itertools.count():
            metrics = [{"key": f"m{key}", "value": step, "timestamp": step, "step": step} for key in range(METRICS)]
            body = json.dumps({"run_id": runs[connection], "metrics": metrics}).encode()
            yield post("/api/2.0/mlflow/runs/log-batch", body, authorization=server.authorization)

    return requests_of


def _embedded_start() -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        try:
            _command("up", Path(folder) / "home")
            return time.perf_counter() - began
        finally:
            _command("down", Path(folder) / "home")


@contextlib.contextmanager
def _ours(home: Path) -> Iterator[Server]:
    try:
        _command("up", home, "--postgres")
        told = dict(
            line.removeprefix("export ").split("=", 1) for line in (home / "client.env").read_text().splitlines()
        )
        port = int(told["MLFLOW_TRACKING_URI"].rpartition(":")[2])
        yield Server(port, told["MLFLOW_TRACKING_USERNAME"], told["MLFLOW_TRACKING_PASSWORD"])
    finally:
        _command("down", home)


@contextlib.contextmanager
def _peer(home: Path, accounts: bool) -> Iterator[Server]:
    """`mlflow server` on a database of its own in the PostgreSQL of our server."""
    database = "peer" if accounts else "open_peer"
    port = json.loads((home / "postgres" / "service.json").read_text())["port"]
    secret = json.loads((home / "credentials.json").read_text())["database_password"]
    with psycopg.connect(
        host="127.0.0.1", port=port, user="mlflow", password=secret, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f'CREATE DATABASE "{database}"')
    uri = f"postgresql+psycopg://mlflow:{secret}@127.0.0.1:{port}/{database}"
    config = home / f"{database}.ini"
    config.write_text(f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {uri}\nadmin_username = admin\n")
    config.chmod(0o600)
    peer = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(peer)),
        *("--uvicorn-opts", "--loop asyncio --http h11", "--artifacts-destination", str(home / "peer-artifacts")),
        *(("--app-name", "basic-auth") if accounts else ()),
    ]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it looks for uvicorn there
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret,
        "DO_NOT_TRACK": "true",
    }
    with served(command, peer, environment, LOGS / f"mlflow-{database}.log", path="/health"):
        time.sleep(10)  # its other workers, and the processes of its jobs, are still loading MLflow
        yield Server(peer, "admin", secret) if accounts else Server(peer)


def _command(name: str, home: Path, *options: str) -> None:
    # What a user's machine has: bytecode compiled once.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (LOGS / "mlflow-server.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "mlflow_server", name, "--home", str(home), *options],
            stdout=log,
            stderr=log,
            env=environment,
            check=True,
        )
