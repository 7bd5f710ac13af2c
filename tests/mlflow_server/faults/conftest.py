"""Clients that log while something breaks, and what they were told was kept."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

# The answers after which MLflow's client tries again: mlflow.utils.request_utils, and a connection that is refused.
RETRIED = {408, 429, 500, 502, 503, 504}
METRICS = 5
# As MLflow's client does it: a longer pause after each attempt. All the time that a server takes to start they fail.
PAUSES = (0.2, 1.6)


@dataclass
class Account:
    """A tracking server and who logs in to it; nobody where it asks for no password."""

    uri: str
    login: tuple[str, str] | None = None

    def session(self) -> requests.Session:
        session = requests.Session()
        session.auth = self.login
        return session

    def call(self, method: str, path: str, session: requests.Session | None = None, **body: Any) -> requests.Response:
        """A call of MLflow's REST API, once."""
        url = f"{self.uri}/api/2.0/mlflow/{path}"
        return (session or self.session()).request(method, url, json=body, timeout=90)

    def made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.call("POST", path, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def new_run(self, experiment: str) -> str:
        return str(self.made("runs/create", experiment_id=experiment)["run"]["info"]["run_id"])

    def new_experiment(self) -> str:
        return str(self.made("experiments/create", name=f"faults-{time.time_ns()}")["experiment_id"])


def account_of(home: Path) -> Account:
    """The administrator of a home's server, by what `up` wrote for people."""
    lines = (home / "client.env").read_text().splitlines()
    told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    name, password = told.get("MLFLOW_TRACKING_USERNAME"), told.get("MLFLOW_TRACKING_PASSWORD")
    return Account(told["MLFLOW_TRACKING_URI"], (name, password) if name and password else None)


@dataclass
class Writers:
    """Clients that each log step after step to a run of their own, and repeat what was not acknowledged."""

    account: Account
    runs: list[str]
    acknowledged: dict[str, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    unanswered: int = 0
    _ending: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._write, args=(run,), daemon=True) for run in self.runs]
        for thread in self._threads:
            thread.start()

    def total(self) -> int:
        return sum(self.acknowledged.values())

    def wait_for(self, more: int, seconds: float = 120) -> None:
        """Wait until so many more requests were acknowledged."""
        goal, deadline = self.total() + more, time.monotonic() + seconds
        while self.total() < goal:
            assert time.monotonic() < deadline, f"{self.total()} of {goal}: {self.refusals[-3:]}"
            assert not self.refusals, self.refusals[:3]
            time.sleep(0.05)

    def wait_until_unanswered(self, more: int) -> None:
        """Wait until so many more requests failed in a way after which they are sent again."""
        goal, deadline = self.unanswered + more, time.monotonic() + 120
        while self.unanswered < goal:
            assert time.monotonic() < deadline, f"{self.unanswered} of {goal}"
            assert not self.refusals, self.refusals[:3]
            time.sleep(0.05)

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(120)

    def assert_nothing_acknowledged_is_lost(self) -> None:
        """Each step that was acknowledged is in the history of each metric, once."""
        with self.account.session() as session:
            for run, steps in self.acknowledged.items():
                history = self.account.call(
                    "GET", f"metrics/get-history?run_id={run}&metric_key=m{METRICS - 1}", session
                ).json()
                found = [(int(metric.get("step", 0)), metric["value"]) for metric in history.get("metrics", [])]
                assert sorted(set(found)) == sorted(found)
                missing = set(range(steps)) - {step for step, value in found if step == value}
                assert not missing, f"run {run} lost {sorted(missing)[:5]} of {steps} acknowledged steps"
                run_data = self.account.call("GET", f"runs/get?run_id={run}", session).json()["run"]["data"]
                latest = {metric["key"]: metric["step"] for metric in run_data["metrics"]}
                assert len(latest) == METRICS
                assert all(step >= steps - 1 for step in latest.values())

    def _write(self, run: str) -> None:
        step, pause = 0, PAUSES[0]
        session = self.account.session()
        while not self._ending.is_set():
            metrics = [{"key": f"m{key}", "value": step, "timestamp": step, "step": step} for key in range(METRICS)]
            answer = None
            with contextlib.suppress(requests.RequestException):
                answer = self.account.call("POST", "runs/log-batch", session, run_id=run, metrics=metrics)
            if answer is not None and answer.status_code == 200:
                step, pause = step + 1, PAUSES[0]
                self.acknowledged[run] = step
            elif answer is None or answer.status_code in RETRIED:
                self.unanswered += 1
                self._ending.wait(pause)
                pause = min(2 * pause, PAUSES[1])
            else:
                self.refusals.append(f"{answer.status_code} {answer.text}")
                return


@pytest.fixture
def writers() -> Iterator[Callable[[Path, int], Writers]]:
    """Start so many writers on a home's server."""
    started: list[Writers] = []

    def start(home: Path, number: int) -> Writers:
        account = account_of(home)
        experiment = account.new_experiment()
        started.append(Writers(account, [account.new_run(experiment) for _ in range(number)]))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def account() -> Callable[[Path], Account]:
    return account_of


@pytest.fixture
def kill() -> Callable[[Path], None]:
    """Kill the process that a record names, with all that it started, at once."""

    def now(record: Path) -> None:
        process = psutil.Process(json.loads(record.read_text())["pid"])
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=20)

    return now


@pytest.fixture
def up_again() -> Callable[[Path], None]:
    """`up` on a home once more, as it was."""

    def again(home: Path) -> None:
        command = [sys.executable, "-m", "mlflow_server", "up", "--home", str(home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
        assert done.returncode == 0, done.stderr

    return again
