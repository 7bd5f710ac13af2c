"""Two projects on one server: a member of each, and all that the first one's member has made and marked."""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mlflow_server import isolated
from mlflow_server.home import Home
from mlflow_server.settings import Settings

from ..in_process import invoked

MARK, VALUE = "for-alpha-alone", 73.25
ATTACHMENT = "11111111-1111-1111-1111-111111111111"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Account:
    """Somebody who asks a server by plain requests, whose paths are sent as they are written; None gives no name."""

    tracking_uri: str
    name: str | None
    password: str
    workspace: str | None

    def ask(self, method: str, path: str, body: Any = None, headers: list[tuple[str, str]] | None = None) -> Answer:
        split = urlsplit(self.tracking_uri)
        connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=60)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        login = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        basic = [("Authorization", f"Basic {login}")] if self.name else []
        if headers is None:
            headers = [("X-MLFLOW-WORKSPACE", self.workspace)] if self.workspace else []
        connection.putrequest(method, path)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        for name, value in [*basic, ("Content-Type", kind), *headers]:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        try:
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(errors="replace"))
        finally:
            connection.close()

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """What is answered, where it must be done."""
        answer = self.ask(method, path, body)
        assert answer.status == 200, (method, path, answer)
        return answer.json if answer.text.strip() else {}


@dataclass(frozen=True)
class Made:
    """What an account has made: the ids that somebody else may have come to know."""

    experiment: str
    run: str
    location: str
    model: str
    trace: str
    registered: str


@dataclass(frozen=True)
class Neighbours:
    """`anna` made things in one project; `bert` is a member of another, and `rita` only reads there."""

    home: Path
    anna: Account
    made: Made
    bert: Account
    own: Made


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run a command of the server about a home: in a process of its own where it starts a server, or is asked to."""

    def run(
        home: Path, *words: str, env: dict[str, str] | None = None, process: bool = False
    ) -> subprocess.CompletedProcess[str]:
        if words[0] != "up" and "--isolated" not in words and not process:
            return invoked(*words, "--home", home, environment=env)
        command = [sys.executable, "-m", "mlflow_server", *words, "--home", str(home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, env=env)

    return run


def made_by(account: Account, mark: str) -> Made:
    """Let an account make one of everything, each with a mark by which it is known again wherever it turns up."""
    api, new = "/api/2.0/mlflow", f"name-{uuid.uuid4().hex[:6]}"
    experiment = account.done("POST", f"{api}/experiments/create", {"name": new})["experiment_id"]
    tag = {"experiment_id": experiment, "key": "t", "value": mark}
    account.done("POST", f"{api}/experiments/set-experiment-tag", tag)
    started = account.done("POST", f"{api}/runs/create", {"experiment_id": experiment, "run_name": new})["run"]["info"]
    run, location = started["run_id"], started["artifact_uri"]
    account.done(
        "POST",
        f"{api}/runs/log-batch",
        {
            "run_id": run,
            "metrics": [{"key": "m", "value": VALUE if mark == MARK else 1, "timestamp": 1, "step": 0}],
            "params": [{"key": "p", "value": mark}],
            "tags": [{"key": "t", "value": mark}],
        },
    )
    model = account.done("POST", f"{api}/logged-models", {"experiment_id": experiment, "name": mark})["model"]["info"]
    trace = "tr-" + uuid.uuid4().hex
    info = {
        "trace_id": trace,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
        "tags": {"t": mark},
    }
    account.done("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})
    files = [
        f"{experiment}/{run}/artifacts/s.txt",
        f"{experiment}/{run}/artifacts/traces.json",
        f"{experiment}/{run}/artifacts/attachments/{ATTACHMENT}",
        f"{experiment}/models/{model['model_id']}/artifacts/s.txt",
    ]
    for path in files:
        account.done(
            "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}", json.dumps({"spans": [], "x": mark}).encode()
        )
    account.done("POST", f"{api}/registered-models/create", {"name": new, "description": mark})
    version = {"name": new, "source": location, "run_id": run, "description": mark}
    account.done("POST", f"{api}/model-versions/create", version)
    account.done("POST", f"{api}/registered-models/alias", {"name": new, "alias": "best", "version": "1"})
    return Made(experiment, run, location, model["model_id"], trace, new)


def account_of(home: Path, made: str, name: str, workspace: str | None) -> Account:
    """The account that a command said it has made."""
    password = re.search(rf"^user {name}, password: (\S+)", made, re.MULTILINE)
    uri = re.search(r"MLFLOW_TRACKING_URI=(\S+)", made) or re.search(
        r"MLFLOW_TRACKING_URI=(\S+)", (home / "client.env").read_text()
    )
    assert password, made
    assert uri
    return Account(uri[1], name, password[1], workspace)


def project_of_another_home(folder: Path, uri: str, artifacts: str) -> Path:
    """Make the home `folder` on stores that another home has too, with its isolated project `lab`, not served."""
    host, lab = Home(folder), Home(folder).project("lab")
    host.make()
    lab.make()
    Settings(backend_store_uri=uri, artifacts_destination=artifacts).keep_in(host.folder)
    told = isolated.settings(host)
    told.keep_in(lab.folder)
    isolated.prepare(lab, told)
    return folder


@pytest.fixture(scope="session")
def neighbours(projects_home: Path, cli: Cli) -> Neighbours:
    accounts = []
    for project, member in (("alpha", "anna"), ("beta", "bert")):
        done = cli(projects_home, "create-project", project, "--member", member)
        assert done.returncode == 0, done.stderr
        accounts.append(account_of(projects_home, done.stdout, member, project))
    anna, bert = accounts
    return Neighbours(projects_home, anna, made_by(anna, MARK), bert, made_by(bert, "beta"))
