"""A home that is damaged, or on a disk that is full or read-only: a sentence that says what to do, and nothing left."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("settings.json", "{", "delete it and tell"),
        ("settings.json", "{}", "delete it and tell"),
        ("credentials.json", "{}", "put back a copy"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do_and_down_goes_on(
    here: Run, tmp_path: Path, name: str, text: str, remedy: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / name).write_text(text)
    done = here("up", home)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"Error: {home / name} is damaged, it does not hold what was written"
    )
    assert remedy in done.stderr
    assert (home / name).read_text() == text
    status = here("status", home)
    assert "Traceback" not in status.stderr
    assert status.returncode == (1 if name == "settings.json" else 3)
    assert here("down", home).stdout == "not running\n"


@pytest.fixture
def mounted(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command after `prepare`, in a shell with mounts of its own, and `ls` of the home after it."""
    if shutil.which("unshare") is None or subprocess.run([*_OWN_MOUNTS, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")

    def run(prepare: str, *command: str) -> subprocess.CompletedProcess[str]:
        told = shlex.join([sys.executable, "-m", "mlflow_server", *command, "--home", str(tmp_path / "home")])
        script = f"cd {tmp_path} && mkdir -p home && {prepare} && {told}; code=$?; find home -type f; exit $code"
        return subprocess.run(
            [*_OWN_MOUNTS, "sh", "-c", script], capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_on_a_full_disk_up_says_so_and_leaves_no_half_file(
    mounted: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    fill = "mount -t tmpfs -o size=40k tmpfs home && (cat /dev/zero > home/filler 2>/dev/null || true)"
    done = mounted(fill, "up")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "home/credentials.json cannot be written (No space left on device): make room" in done.stderr
    assert not {"home/credentials.json.new", "home/credentials.json"} & set(done.stdout.split())


def test_a_database_that_finds_no_room_is_not_left_half_made(
    mounted: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = mounted("mount -t tmpfs -o size=39m tmpfs home", "up", "--postgres")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
    assert not [file for file in done.stdout.split() if file.startswith("home/postgres/data")]


def test_a_home_that_is_read_only_is_said_to_be(mounted: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = mounted("mount -t tmpfs tmpfs home && mount -o remount,ro home", "down")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "home/changing cannot be used (Read-only file system): " in done.stderr
