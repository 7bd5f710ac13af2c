"""The folder in which a server without a home keeps its secrets, when it is killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from mlflow_server.passing_folder import passing_folder

_HOLD = """
import sys, time
from mlflow_server.passing_folder import passing_folder
with passing_folder() as folder:
    (folder / "accounts.ini").write_text("secret")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_server_left_is_removed_by_the_next_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (other := tmp_path / "mlflow-server-of-another").mkdir()
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        left = Path(killed.stdout.readline().strip())
        with passing_folder() as own:
            assert own.stat().st_mode & 0o777 == 0o700
            assert left.is_dir()
        killed.kill()
    assert left.is_dir()
    with passing_folder() as own:
        assert sorted(tmp_path.iterdir()) == sorted([other, own])
    assert list(tmp_path.iterdir()) == [other]
