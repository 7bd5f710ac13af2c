"""Homes to keep: on what the session's servers know already, or made small without a server."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow_server.settings import Settings

from ..in_process import invoked

Cli = Callable[..., subprocess.CompletedProcess[str]]


def refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    """Assert that a command said this in a sentence, and did nothing else."""
    assert done.returncode == 1, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def cli() -> Cli:
    """Run `mlflow-server` to its end, with further environment variables: in this process, which has loaded MLflow."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return invoked(*arguments, environment={**os.environ, **environment})

    return run


@pytest.fixture
def cli_process() -> Cli:
    """The same in a process of its own."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mlflow_server", *map(str, arguments)]
        environment = {**os.environ, **environment}
        return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False, env=environment)

    return run


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `home`, whose database has one table and whose artifacts are one file, and its backup `b.zip`."""
    folder = tmp_path_factory.mktemp("small")
    home = folder / "home"
    (home / "artifacts" / "1").mkdir(parents=True)
    (home / "artifacts" / "1" / "model.bin").write_bytes(os.urandom(200_000))
    Settings(allowed_hosts=("mlflow.example",)).keep_in(home)
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    command = [sys.executable, "-m", "mlflow_server", "backup", "--home", home, folder / "b.zip"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def small_home(small: Path, tmp_path: Path) -> Path:
    """A home of the test's own."""
    return Path(shutil.copytree(small / "home", tmp_path / "small"))


@pytest.fixture
def archive(small: Path, tmp_path: Path) -> Path:
    """Its backup."""
    return Path(shutil.copy(small / "b.zip", tmp_path / "small.zip"))
