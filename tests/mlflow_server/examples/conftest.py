"""Running the examples as a newcomer does: after `. client.env`, in a folder of one's own."""

from __future__ import annotations

import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.tracking import fluent

EXAMPLES = Path(__file__).parents[3] / "mlflow-server" / "examples"
Example = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def newcomer(postgres_home: Path) -> dict[str, str]:
    """The environment of a shell that has read `client.env`, with this environment's programs on its PATH."""
    lines = (postgres_home / "client.env").read_text().splitlines()
    told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, **told, "PATH": path}


@pytest.fixture
def client(newcomer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The newcomer's client; this process is logged in as they are."""
    mlflow.set_tracking_uri(newcomer["MLFLOW_TRACKING_URI"])
    for name, value in newcomer.items():
        monkeypatch.setenv(name, value)
    return MlflowClient(newcomer["MLFLOW_TRACKING_URI"])


@pytest.fixture
def program(newcomer: dict[str, str], tmp_path: Path) -> Example:
    """Run a program, or an example's script, to its end in a process of its own, which loads MLflow for seconds."""

    def to_its_end(*words: str) -> subprocess.CompletedProcess[str]:
        script = EXAMPLES / words[0]
        command = [sys.executable, str(script), *words[1:]] if script.is_file() else list(words)
        return subprocess.run(
            command, cwd=tmp_path, env=newcomer, capture_output=True, text=True, timeout=150, check=False
        )

    return to_its_end


@pytest.fixture
def example(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Example:
    """Run an example's script to its end as `python` does, though in this process, which has MLflow loaded already.

    It warns of nothing in this environment.
    """

    def to_its_end(script: str, *words: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()  # what the test itself had MLflow say
        path, code = EXAMPLES / script, 0
        beside = {other.stem for other in path.parent.glob("*.py")}
        with monkeypatch.context() as as_if_alone:
            as_if_alone.chdir(tmp_path)
            as_if_alone.setattr(sys, "argv", [str(path), *words])
            as_if_alone.syspath_prepend(path.parent)
            # What a script before it said of experiments and of logging.
            as_if_alone.setattr(fluent, "_active_experiment_id", None)
            as_if_alone.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
            logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.NOTSET)
            for name in beside:
                as_if_alone.delitem(sys.modules, name, raising=False)
            try:
                runpy.run_path(str(path), run_name="__main__")
            except SystemExit as ended:
                code = int(ended.code or 0)
            finally:
                for name in beside:
                    sys.modules.pop(name, None)
        said = capfd.readouterr()
        assert "request_header" not in said.err
        return subprocess.CompletedProcess([script, *words], code, said.out, said.err)

    return to_its_end


@pytest.fixture
def refusal(example: Example) -> Callable[..., str]:
    """What a script says that refuses to do what it is told."""

    def said(*words: str) -> str:
        done = example(*words)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    return said
