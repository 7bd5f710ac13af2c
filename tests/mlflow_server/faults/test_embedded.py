"""The embedded server when it is killed under load, and when its disk is full: what was acknowledged is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

WRITERS = 50
_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def test_a_killed_embedded_server_serves_again_what_fifty_runs_were_acknowledged_and_ends_on_a_signal(
    make_home: Callable[..., Path], writers: Any, kill: Callable[[Path], None], here: Any, tmp_path: Path
) -> None:
    home, log = make_home(), tmp_path / "log"
    running = writers(home, WRITERS)
    running.wait_for(2 * WRITERS)
    kill(home / "server.json")
    assert here("status", home).stdout == "down\n"

    # In the foreground this time, and on its port: the writers know no other.
    command = [sys.executable, "-u", "-m", "mlflow_server", "up", "--foreground", "--home", str(home)]
    with log.open("w") as file, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(f"up: {running.account.uri} "), log.read_text()
            running.wait_for(WRITERS)
            running.stop()
            assert not running.refusals
            assert len(running.acknowledged) == WRITERS
            running.assert_nothing_acknowledged_is_lost()
        finally:
            process.terminate()
        assert process.wait(30) == 0
    assert not (home / "server.json").exists()
    assert "Traceback" not in log.read_text()


@dataclass(frozen=True)
class SmallDisk:
    """A server whose home is a disk of its own, seen from here as `home`."""

    tracking_uri: str
    home: Path

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Have no byte left on it."""
        filler = self.home / "filler"
        with filler.open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), b"\0" * 65536)
        with filler.open("ab") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), b"\0")
        try:
            yield
        finally:
            filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A server in a mount namespace, with a file system of 24 MB in memory as its home."""
    home = tmp_path / "home"
    home.mkdir()
    if shutil.which("unshare") is None or subprocess.run([*_OWN_MOUNTS, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    serve = f"mount -t tmpfs -o size=24m tmpfs {home} && exec {sys.executable} -m mlflow_server up --foreground"
    process = subprocess.Popen(
        [*_OWN_MOUNTS, "sh", "-c", f"{serve} --home {home}"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("up: "), line
        yield SmallDisk(line.split()[1], Path(f"/proc/{process.pid}/root{home}"))
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def test_on_a_full_disk_the_server_says_so_keeps_what_it_has_and_goes_on_when_there_is_room(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    client = MlflowClient(small_disk.tracking_uri)
    run = client.create_run("0").info.run_id
    client.log_metric(run, "before", 1)
    client.log_text(run, "kept", "before.txt")
    with small_disk.full():
        with pytest.raises(MlflowException, match="The disk of the tracking server is full"):
            _log_megabytes(client, run)
        with pytest.raises(Exception, match="The disk of the tracking server is full"):
            client.log_text(run, "x" * 1_000_000, "during.txt")
        assert client.get_run(run).data.metrics == {"before": 1}
        fetched = client.download_artifacts(run, "before.txt", str(tmp_path))
        assert Path(fetched).read_text() == "kept"
    client.log_metric(run, "after", 2)
    client.log_text(run, "again", "after.txt")
    assert client.get_run(run).data.metrics == {"before": 1, "after": 2}
    assert [file.path for file in client.list_artifacts(run)] == ["after.txt", "before.txt"]


def _log_megabytes(client: MlflowClient, run: str) -> None:
    for number in range(2000):
        client.log_param(run, f"during-{number}", "x" * 6000)
