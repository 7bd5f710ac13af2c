"""`mlflow-server backup` and `restore`: what is refused, what is left where it fails, and that all comes back."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow_server.settings import Settings

from .conftest import Cli, refused


def test_a_folder_that_was_never_a_server_s_isrefused(cli: Cli, tmp_path: Path) -> None:
    refused(cli("backup", "--home", tmp_path / "none", tmp_path / "b.zip"), "holds no server")
    assert list(tmp_path.iterdir()) == []


def test_a_project_is_backed_up_with_the_server_whose_stores_it_shares(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "alpha").mkdir()
    Settings(shared_from="/srv/mlflow").keep_in(tmp_path / "alpha")
    refused(cli("backup", "--home", tmp_path / "alpha", tmp_path / "b.zip"), "is a project of /srv/mlflow")


def test_a_backup_does_not_take_the_place_of_another_file(cli: Cli, small_home: Path, archive: Path) -> None:
    before = archive.read_bytes()
    refused(cli("backup", "--home", small_home, archive), "is there already")
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


def test_an_embedded_home_comes_back_as_it_was(
    cli_process: Cli, small_home: Path, archive: Path, tmp_path: Path
) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with zipfile.ZipFile(archive) as file:
        taken = [name.partition("/")[0] for name in file.namelist()]
    # A file that is logged meanwhile is then never named without being there.
    assert taken.index("artifacts") > taken.index("database")
    restored = tmp_path / "elsewhere" / "home"
    done = cli_process("restore", "--home", restored, archive)
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
    refused(cli("restore", "--home", small_home, archive), "holds something already")


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
    refused(cli("restore", "--home", tmp_path / "restored", archive), words)
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
