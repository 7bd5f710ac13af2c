"""Tracking servers as commands: embedded, on PostgreSQL, with projects, shared by the session; others of a test."""

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


def up(home: Path, *options: str) -> Path:
    """Start a server on `home`; returns `home`, where `client.env` says how to log in."""
    done = _run("up", home, *options)
    if done.returncode:
        _run("down", home)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope="session")
def postgres_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a server that is up with PostgreSQL and an object store, shared by the session: do not break it."""
    yield (home := up(tmp_path_factory.mktemp("postgres") / "home", "--postgres"))
    _run("down", home)


@pytest.fixture(scope="session")
def projects_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same with projects: give yours names of their own."""
    yield (home := up(tmp_path_factory.mktemp("projects") / "home", "--postgres", "--projects"))
    _run("down", home)


@pytest.fixture
def make_home(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Start servers of the test's own, `make_home("--postgres")`; they and their stores are stopped at its end."""
    made: list[Path] = []

    def make(*up_options: str) -> Path:
        made.append(tmp_path / f"server-{len(made)}")
        return up(made[-1], *up_options)

    yield make
    for home in made:
        _run("down", home)
