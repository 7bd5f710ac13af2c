"""Tracking servers as commands: embedded, on PostgreSQL, with projects, shared by the session; others of a test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest
from click.testing import CliRunner
from mlflow_server.commands.group import group

INSTALLED_MARIADB = Path(sys.executable).parents[1] / "mariadb" / "mariadb.json"

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


@pytest.fixture
def here() -> Run:
    """Run a command to its end in this process: cheaper, for one that starts nothing which outlives it."""

    def invoke(name: str, home: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
        ended = CliRunner().invoke(group, [name, "--home", str(home), *options])
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return subprocess.CompletedProcess([name, *options], ended.exit_code, ended.stdout, ended.stderr)

    return invoke


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
    """The home of a server that is up with PostgreSQL and an object store, shared by the session: do not break it.

    It has as many workers as `up` gives it by itself: some tests are of what two of them share.
    """
    yield (home := up(tmp_path_factory.mktemp("postgres") / "home", "--postgres"))
    _run("down", home)


@pytest.fixture(scope="session")
def projects_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same with projects, and with one worker, as each loads MLflow: give yours names of their own."""
    options = ("--postgres", "--projects", "--workers", "1")
    yield (home := up(tmp_path_factory.mktemp("projects") / "home", *options))
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


@dataclass(frozen=True)
class MariaDB:
    """A running MariaDB: everything in it belongs to `mlflow`; its client programs need `environment` to run."""

    port: int
    password: str
    environment: dict[str, str]

    def make(self, database: str, alphabet: str = "utf8mb4") -> str:
        """Make a database; returns its SQLAlchemy URL."""
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root") as connection:
            cursor = connection.cursor()
            cursor.execute(f"CREATE DATABASE `{database}` CHARACTER SET {alphabet}")
            cursor.execute(f"CREATE USER IF NOT EXISTS mlflow@`127.0.0.1` IDENTIFIED BY '{self.password}'")
            cursor.execute(f"GRANT ALL PRIVILEGES ON `{database}`.* TO mlflow@`127.0.0.1`")
        return f"mysql+pymysql://mlflow:{self.password}@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB shared by the session, its programs first on the PATH of `environment`: make databases of your own."""
    installed = (
        json.loads(INSTALLED_MARIADB.read_text()) if INSTALLED_MARIADB.exists() else {"missing": "run `make test`"}
    )
    if "missing" in installed:
        pytest.skip(f"no MariaDB: {installed['missing']}")
    folder, programs = tmp_path_factory.mktemp("mariadb"), installed["programs"]
    paths = [str(Path(program).parent) for program in programs.values()]
    environment = {**installed["environment"], "PATH": os.pathsep.join([*paths, os.environ["PATH"]])}
    user, base = ["--user=root"] if os.geteuid() == 0 else [], Path(programs["mariadbd"]).parents[1]
    install = [programs["mariadb-install-db"], "--no-defaults", f"--basedir={base}", f"--datadir={folder}/data", *user]
    subprocess.run(
        [*install, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = [f"--datadir={folder}/data", f"--socket={folder}/s", f"--pid-file={folder}/pid", f"--basedir={base}"]
    serve = [programs["mariadbd"], "--no-defaults", *user, *where, "--bind-address=127.0.0.1", f"--port={port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(serve, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield MariaDB(port, "of-the-tests", environment)
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., str]:
    """Run `serve` where it is refused; returns what it says."""

    def serve(**environment: str) -> str:
        told = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db", "MLFLOW_SERVER_AUTH": "false"}
        told["MLFLOW_ARTIFACTS_DESTINATION"] = (tmp_path / "artifacts").as_uri()
        command = [sys.executable, "-m", "mlflow_server", "serve", "--port", "0"]
        done = subprocess.run(
            command, env={**os.environ, **told, **environment}, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()[-1]

    return serve
