"""Running the examples as a newcomer does: after `. client.env`, in a folder of one's own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

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
def example(newcomer: dict[str, str], tmp_path: Path) -> Example:
    """Run an example's script, which warns of nothing in this environment, or another program, to its end."""

    def to_its_end(*words: str) -> subprocess.CompletedProcess[str]:
        script = EXAMPLES / words[0]
        command = [sys.executable, str(script), *words[1:]] if script.is_file() else list(words)
        done = subprocess.run(
            command, cwd=tmp_path, env=newcomer, capture_output=True, text=True, timeout=150, check=False
        )
        if script.is_file():
            assert "request_header" not in done.stderr
        return done

    return to_its_end


@pytest.fixture
def client(newcomer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The newcomer's client; this process is logged in as they are."""
    mlflow.set_tracking_uri(newcomer["MLFLOW_TRACKING_URI"])
    for name, value in newcomer.items():
        if name.startswith(("MLFLOW_", "AWS_")):
            monkeypatch.setenv(name, value)
    return MlflowClient(newcomer["MLFLOW_TRACKING_URI"])


@pytest.fixture
def refusal(client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a script says that refuses to do what it is told. In this process: MLflow takes seconds to load."""
    monkeypatch.chdir(tmp_path)

    def said(script: str, *words: str) -> str:
        path = EXAMPLES / script
        monkeypatch.syspath_prepend(path.parent)
        spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        ended = CliRunner().invoke(module.main, list(words))
        assert ended.exit_code == 1, ended.output
        assert isinstance(ended.exception, SystemExit)
        return ended.output

    return said
