"""`mlflow-server backup` and `restore`: what is refused, what is left where it fails, and that all comes back."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import requests
from mlflow_server.settings import Settings
from mlflow_server.stack.postgres import Postgres
from sqlalchemy import make_url

Cli = Callable[..., subprocess.CompletedProcess[str]]


def _refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 1, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_was_never_a_server_s_is_refused(cli: Cli, tmp_path: Path) -> None:
    _refused(cli("backup", "--home", tmp_path / "none", tmp_path / "b.zip"), "holds no server")
    assert list(tmp_path.iterdir()) == []


def test_a_project_is_backed_up_with_the_server_whose_stores_it_shares(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "alpha").mkdir()
    Settings(shared_from="/srv/mlflow").keep_in(tmp_path / "alpha")
    _refused(cli("backup", "--home", tmp_path / "alpha", tmp_path / "b.zip"), "is a project of /srv/mlflow")


def test_a_backup_does_not_take_the_place_of_another_file(cli: Cli, small_home: Path, archive: Path) -> None:
    before = archive.read_bytes()
    _refused(cli("backup", "--home", small_home, archive), "is there already")
    assert archive.read_bytes() == before


def test_a_full_disk_leaves_neither_half_a_backup_nor_half_a_home(
    cli: Cli, small_home: Path, archive: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--map-root-user", "--mount", "--"]
    mount = f"mount -t tmpfs -o size=128k none {disk}"
    if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here, in a namespace or otherwise")
    for command in (
        f"backup --home {small_home} {disk}/b.zip",
        f"restore --home {disk}/home {archive}",
    ):
        script = f"{mount} && {sys.executable} -m mlflow_server {command}; echo code $?; ls -A {disk}"
        done = subprocess.run([*namespace, "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "code 1\n", done.stdout
        assert "No space left on device" in done.stderr
        assert "nothing of it was kept" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_embedded_home_comes_back_as_it_was(cli: Cli, small_home: Path, archive: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with zipfile.ZipFile(archive) as file:
        taken = [name.partition("/")[0] for name in file.namelist()]
    # A file that is logged meanwhile is then never named without being there.
    assert taken.index("artifacts") > taken.index("database")
    restored = tmp_path / "elsewhere" / "home"
    done = cli("restore", "--home", restored, archive)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(restored / "mlflow.db")) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]
    model = Path("artifacts", "1", "model.bin")
    assert (restored / model).read_bytes() == (small_home / model).read_bytes()
    assert Settings.kept_in(restored) == Settings.kept_in(small_home)
    assert stat.S_IMODE((restored / "settings.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(restored.stat().st_mode) == 0o700
    assert sorted(path.name for path in restored.parent.iterdir()) == ["home"]


def test_a_folder_that_holds_something_is_not_restored_into(cli: Cli, small_home: Path, archive: Path) -> None:
    _refused(cli("restore", "--home", small_home, archive), "holds something already")


def _without_its_end(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])


def _with_another_byte(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)


def _no_archive(archive: Path) -> None:
    archive.write_text("a note about a backup")


def _another_s_archive(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("photo.jpg", "a holiday")


def _with_a_stranger(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("home/credentials.json", "{}")


def _with_a_way_out(archive: Path) -> None:
    _rewrite(archive, lambda told: told["members"].update({"../../out": {"length": 1, "sha256": "0"}}), "../../out")


def _of_a_newer_format(archive: Path) -> None:
    _rewrite(archive, lambda told: told.update(format=99))


def _of_a_newer_mlflow(archive: Path) -> None:
    _rewrite(archive, lambda told: told["source"].update(schema="fedcba987654", mlflow="9.0.0"))


def _rewrite(archive: Path, change: Callable[[dict], None], stranger: str | None = None) -> None:
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    told = json.loads(members["manifest.json"])
    change(told)
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in {**members, "manifest.json": json.dumps(told)}.items():
            file.writestr(name, content)
        if stranger:
            file.writestr(stranger, "x")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without_its_end, "was cut short"),
        (_with_another_byte, "is damaged: artifacts/1/model.bin"),
        (_no_archive, "cannot be read as a backup"),
        (_another_s_archive, "it is not a backup of this server"),
        (_with_a_stranger, "home/credentials.json is in it or in its manifest only"),
        (_with_a_way_out, "would be written outside"),
        (_of_a_newer_format, "has format 99, and this server reads format 1"),
        (_of_a_newer_mlflow, "was made with MLflow 9.0.0, which is newer"),
    ],
)
def test_an_archive_that_is_not_as_it_was_made_restores_nothing(
    cli: Cli, archive: Path, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(archive)
    _refused(cli("restore", "--home", tmp_path / "restored", archive), words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.zip"]


def test_a_project_with_a_server_of_its_own_comes_back_beside_its_host(
    cli: Cli, small_home: Path, tmp_path: Path
) -> None:
    alpha = small_home / "projects" / "alpha"
    (alpha / "artifacts" / "metrics").mkdir(parents=True)
    (alpha / "artifacts" / "metrics" / "plot.log").write_text("a curve")
    (alpha / "server.log").write_text("of a process")
    (alpha / "mlflow.db").write_bytes((small_home / "mlflow.db").read_bytes())
    Settings(shared_from=str(small_home), auth=True).keep_in(alpha)
    assert cli("backup", "--home", small_home, tmp_path / "b.zip").returncode == 0
    restored = tmp_path / "restored"
    assert cli("restore", "--home", restored, tmp_path / "b.zip").returncode == 0
    beside = restored / "projects" / "alpha"
    assert (beside / "artifacts" / "metrics" / "plot.log").read_text() == "a curve"
    assert not (beside / "server.log").exists()
    assert Settings.kept_in(beside) == replace(Settings.kept_in(alpha), shared_from=str(restored))
    with closing(sqlite3.connect(beside / "mlflow.db")) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]


def test_what_was_acknowledged_before_a_backup_of_a_busy_server_is_in_it(
    cli: Cli, served_home: Path, tracking_uri: str, tmp_path: Path
) -> None:
    def call(path: str, **body: object) -> dict:
        answer = requests.post(f"{tracking_uri}/api/2.0/mlflow/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    experiment = call("experiments/create", name=f"busy {tmp_path.name}")["experiment_id"]
    run = call("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    acknowledged: list[int] = []
    enough, ending = threading.Event(), threading.Event()

    def log() -> None:
        while not ending.is_set():
            step = len(acknowledged)
            call("runs/log-metric", run_id=run, key="step", value=step, timestamp=1, step=step)
            acknowledged.append(step)
            if len(acknowledged) == 20:
                enough.set()

    writer = threading.Thread(target=log)
    writer.start()
    try:
        assert enough.wait(60)
        before = len(acknowledged)
        assert cli("backup", "--home", served_home, tmp_path / "b.zip").returncode == 0
        assert len(acknowledged) > before
    finally:
        ending.set()
        writer.join(60)
    assert cli("restore", "--home", tmp_path / "restored", tmp_path / "b.zip").returncode == 0
    with closing(sqlite3.connect(tmp_path / "restored" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        steps = {step for (step,) in connection.execute("SELECT step FROM metrics WHERE run_uuid = ?", (run,))}
    assert set(range(before)) <= steps


def test_a_server_on_postgresql_comes_back_with_its_accounts_and_artifacts(
    cli: Cli, postgres_home: Path, tmp_path: Path
) -> None:
    client = _Client(postgres_home)
    experiment = client.post("experiments/create", name=f"kept {tmp_path.name}")["experiment_id"]
    info = client.post("runs/create", experiment_id=experiment)["run"]["info"]
    client.post("runs/log-metric", run_id=info["run_id"], key="accuracy", value=0.5, timestamp=1)
    client.put(info, "model.bin", b"weights")
    done = cli("backup", "--home", postgres_home, tmp_path / "b.zip")
    assert done.returncode == 0, done.stderr
    restored = tmp_path / "restored"
    done = cli("restore", "--home", restored, tmp_path / "b.zip")
    assert done.returncode == 0, done.stderr
    try:
        up = cli("up", "--home", restored, "--workers", "1")
        assert up.returncode == 0, up.stderr
        again = _Client(restored)
        assert again.get(f"runs/get?run_id={info['run_id']}")["run"]["data"]["metrics"][0]["value"] == 0.5
        assert again.fetched(info, "model.bin") == b"weights"
        assert requests.get(f"{again.uri}/api/2.0/mlflow/runs/get?run_id=1", timeout=30).status_code == 401
    finally:
        cli("down", "--home", restored)


class _Client:
    """The administrator of a home, as `client.env` names them."""

    def __init__(self, home: Path) -> None:
        lines = (home / "client.env").read_text().splitlines()
        told = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self.uri = told["MLFLOW_TRACKING_URI"]
        self._login = (told["MLFLOW_TRACKING_USERNAME"], told["MLFLOW_TRACKING_PASSWORD"])

    def get(self, path: str) -> dict:
        return self._json(requests.get(f"{self.uri}/api/2.0/mlflow/{path}", auth=self._login, timeout=60))

    def post(self, path: str, **body: object) -> dict:
        return self._json(requests.post(f"{self.uri}/api/2.0/mlflow/{path}", json=body, auth=self._login, timeout=60))

    def put(self, info: dict, name: str, content: bytes) -> None:
        answer = requests.put(self._artifact(info, name), data=content, auth=self._login, timeout=60)
        assert answer.status_code == 200, answer.text

    def fetched(self, info: dict, name: str) -> bytes:
        return requests.get(self._artifact(info, name), auth=self._login, timeout=60).content

    def _artifact(self, info: dict, name: str) -> str:
        path = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
        return f"{self.uri}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}"

    def _json(self, answer: requests.Response) -> dict:
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def own_database(postgres_home: Path) -> Iterator[tuple[str, str]]:
    """The URLs of two empty databases of a PostgreSQL that a home is merely told of."""
    password = json.loads((postgres_home / "credentials.json").read_text())["database_password"]
    postgres = Postgres(postgres_home / "postgres", password)
    running = postgres.service.running()
    assert running is not None
    names = ("own", "other")
    with psycopg.connect(postgres.url(running.port).replace("+psycopg", ""), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
        yield postgres.url(running.port, "own"), postgres.url(running.port, "other")
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_of_one_s_own_goes_into_another_that_is_empty(
    cli: Cli, own_database: tuple[str, str], tmp_path: Path
) -> None:
    url, other = own_database
    home, archive = tmp_path / "home", tmp_path / "b.zip"
    home.mkdir()
    settings = Settings(backend_store_uri=url, artifacts_destination="s3://elsewhere/artifacts")
    settings.keep_in(home)
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    done = cli("backup", "--home", home, archive)
    assert done.returncode == 0, done.stderr
    assert "not in it: the artifacts in s3://elsewhere/artifacts" in done.stdout
    _refused(cli("restore", "--home", tmp_path / "new", archive), "holds tables already")
    _refused(cli("restore", "--home", tmp_path / "new", archive, "--backend-store-uri", "sqlite:///x.db"), "'sqlite'")
    done = cli("restore", "--home", tmp_path / "new", archive, "--backend-store-uri", other)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(other.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]
    assert asdict(Settings.kept_in(tmp_path / "new")) == asdict(replace(settings, backend_store_uri=other))


def test_a_database_of_mariadb_comes_back(cli: Cli, mariadb: Any, tmp_path: Path) -> None:
    home, archive = tmp_path / "home", tmp_path / "b.zip"
    home.mkdir()
    urls = [mariadb.make(f"kept_{tmp_path.name[-8:]}_{number}".replace("-", "_")) for number in (1, 2)]
    Settings(backend_store_uri=urls[0]).keep_in(home)

    def connection(url: str) -> Any:
        told = make_url(url)
        return pymysql.connect(
            host=told.host, port=told.port, user=told.username, password=told.password, database=told.database
        )

    with connection(urls[0]) as open_connection:
        open_connection.cursor().execute("CREATE TABLE kept (word TEXT) CHARACTER SET utf8mb4")
        open_connection.cursor().execute("INSERT INTO kept VALUES ('häuschen 🏠')")
        open_connection.commit()
    _refused(cli("backup", "--home", home, archive, PATH="/nowhere"), "Neither `mariadb-dump` nor `mysqldump`")
    assert not archive.exists()
    done = cli("backup", "--home", home, archive, **mariadb.environment)
    assert done.returncode == 0, done.stderr
    done = cli("restore", "--home", tmp_path / "new", archive, "--backend-store-uri", urls[1], **mariadb.environment)
    assert done.returncode == 0, done.stderr
    with connection(urls[1]) as restored, restored.cursor() as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == (("häuschen 🏠",),)
