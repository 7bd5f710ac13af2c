"""The PostgreSQL that `up --postgres` starts: whose data it is, what killed it, and the port that it keeps."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.stack.postgres import Postgres

_SCRIPT = """
import os, sys
from pathlib import Path
from mlflow_server.errors import ServerError
from mlflow_server.stack.postgres import Postgres
postgres = Postgres(Path(sys.argv[1]), "secret")
try:
    running = postgres.start()
    print(os.geteuid(), postgres.folder.stat().st_uid, running.process().name(), postgres.stop())
except ServerError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an initialised, stopped database server that has a table with a row."""
    postgres = Postgres(tmp_path_factory.mktemp("made") / "postgres", "secret")
    running = postgres.start()
    with psycopg.connect(_address(postgres, running.port), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    postgres.stop()
    return postgres.folder


@pytest.fixture
def postgres(made: Path, tmp_path: Path) -> Iterator[Postgres]:
    """A copy of it of the test's own, stopped at its end wherever it went."""
    copy = Postgres(Path(shutil.copytree(made, tmp_path / "postgres")), "secret")
    yield copy
    for folder in tmp_path.glob("*/data"):
        Postgres(folder.parent, "secret").stop()


def _address(postgres: Postgres, port: int) -> str:
    return postgres.url(port).replace("+psycopg", "")


def _word(postgres: Postgres, port: int) -> str:
    with psycopg.connect(_address(postgres, port)) as connection:
        (word,) = connection.execute("SELECT word FROM kept").fetchone() or ("",)
    return str(word)


def _kill(pid: int) -> None:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=20)


@pytest.mark.parametrize(("major", "remedy"), [("16", "`mlflow-server upgrade` moves it over"), ("12", "restore it")])
def test_data_of_another_major_version_is_refused_with_the_way_over(tmp_path: Path, major: str, remedy: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text(f"{major}\n")
    with pytest.raises(ServerError, match=f"was made by PostgreSQL {major}, and this server has") as refused:
        Postgres(tmp_path, "secret").start()
    assert remedy in str(refused.value)


def test_a_killed_database_comes_up_on_its_port_with_what_was_committed(postgres: Postgres) -> None:
    running = postgres.start()
    _kill(running.pid)
    # The number of the dead is another's now: PostgreSQL itself would refuse to start.
    note = postgres.data / "postmaster.pid"
    note.write_text(note.read_text().replace(str(running.pid), str(os.getppid()), 1))
    again = postgres.start()
    assert again.port == running.port
    assert _word(postgres, again.port) == "here"


def test_a_database_without_a_record_is_ended_before_another_starts_on_its_data(postgres: Postgres) -> None:
    running = postgres.start()
    (postgres.folder / "service.json").unlink()
    again = postgres.start()
    assert again.pid != running.pid
    assert running.process() is None
    assert _word(postgres, again.port) == "here"
    (postgres.folder / "service.json").unlink()
    assert postgres.stop()
    assert again.process() is None


def test_a_port_that_was_taken_meanwhile_is_left_to_who_has_it(postgres: Postgres) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (postgres.folder / "port").write_text(str(taken.getsockname()[1]))
        running = postgres.start()
        assert running.port != taken.getsockname()[1]
        assert _word(postgres, running.port) == "here"


def test_a_copied_folder_does_not_use_or_stop_its_original(postgres: Postgres, tmp_path: Path) -> None:
    running = postgres.start()
    copied = Postgres(Path(shutil.copytree(postgres.folder, tmp_path / "copy")), "secret")
    assert copied.service.running() is None
    assert not copied.stop()
    assert running.process() is not None


def test_a_folder_moved_under_a_running_database_is_served_where_it_went(postgres: Postgres, tmp_path: Path) -> None:
    running = postgres.start()
    postgres.folder.rename(tmp_path / "moved")
    moved = Postgres(tmp_path / "moved", "secret")
    again = moved.start()
    assert running.process() is None
    assert _word(moved, again.port) == "here"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else's folder, and namespaces to be nobody in")
def test_without_root_one_s_own_data_is_served_and_somebody_else_s_is_refused(postgres: Postgres) -> None:
    unprivileged = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", sys.executable, "-c", _SCRIPT]

    def said() -> str:
        done = subprocess.run([*unprivileged, postgres.folder], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert said() == "1000 1000 postgres True"
    for path in (postgres.data, *postgres.data.rglob("*")):
        os.chown(path, 65534, 65534)
    assert "belongs to nobody, and PostgreSQL runs for its owner only" in said()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_root_without_user_namespaces_has_nobody_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where nobody can get to, as pytest's own folders are not.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("PATH", folder)
        home = Home(Path(folder, "home"))
        home.make()
        postgres = Postgres(home.folder / "postgres", "secret")
        with pytest.raises(ServerError, match="the user nobody cannot reach"):
            postgres.start()
        Path(folder).chmod(0o755)
        try:
            process = postgres.start().process()
            assert process is not None
            assert process.username() == "nobody"
            monkeypatch.undo()
            postgres.stop()
            again = postgres.start().process()
            assert again is not None
            assert again.username() == "nobody"
            home.make()
            assert (stat.S_IMODE(home.folder.stat().st_mode), stat.S_IMODE(home.artifacts.stat().st_mode)) == (
                0o711,
                0o700,
            )
        finally:
            postgres.stop()


def test_a_database_that_cannot_start_says_why(postgres: Postgres) -> None:
    shutil.rmtree(postgres.data / "global")
    with pytest.raises(ServerError, match=r"did not start \(log: .*\):\n(.*\n)*.*global/pg_control"):
        postgres.start()
    assert postgres.service.running() is None


def test_a_stop_lets_no_client_keep_it(postgres: Postgres) -> None:
    running = postgres.start()
    with psycopg.connect(_address(postgres, running.port)) as idle:
        assert postgres.stop()
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    assert "database system is shut down" in (postgres.folder / "log").read_text()
    assert postgres.service.ending == signal.SIGINT
