"""The embedded tracking server as a command: one shared by the session, and others of a test's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(name: str, home: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "mlflow_server", name, "--home", str(home), *options]


def _run(name: str, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(name, home, *options), capture_output=True, text=True, timeout=150, check=False)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run a command to its end; whatever it left serving `tmp_path / "home"` is stopped after the test."""
    yield _run
    _run("down", tmp_path / "home")


@pytest.fixture(scope="session")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a server that is up."""
    home = tmp_path_factory.mktemp("mlflow") / "home"
    done = _run("up", home)
    assert done.returncode == 0, done.stderr
    yield home
    _run("down", home)


@pytest.fixture(scope="session")
def tracking_uri(served_home: Path) -> str:
    return _run("status", served_home).stdout.split()[1]
