"""A large artifact goes up and down in bounded memory, on both sides, and comes back as it was."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

MEGABYTES = 256
# What a side may take beyond what it had: some parts of it, far from all.
BOUND = 128
# Prints by how many megabytes its memory grew at most.
CLIENT = """
import resource, sys
from mlflow import MlflowClient
client, (way, run, path) = MlflowClient(), sys.argv[1:]
client.get_run(run)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if way == "up":
    client.log_artifact(run, path)
else:
    client.download_artifacts(run, "large.bin", path)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads peaks of memory from /proc")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _peak(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


@linux
def test_a_large_artifact_goes_up_and_down_in_bounded_memory(postgres_home: Path, account: Any, tmp_path: Path) -> None:
    who = account(postgres_home)
    run = who.new_run("0")
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(1 << 10) * (1 << 10))
    (tmp_path / "down").mkdir()
    server = psutil.Process(json.loads((postgres_home / "server.json").read_text())["pid"])
    processes = [server.pid, *(child.pid for child in server.children(recursive=True))]
    login = {"MLFLOW_TRACKING_USERNAME": who.login[0], "MLFLOW_TRACKING_PASSWORD": who.login[1]}
    for way, path in (("up", large), ("down", tmp_path / "down")):
        for pid in processes:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # begins the peak anew
        before = {pid: _peak(pid) for pid in processes}
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, way, run, str(path)],
            env={**os.environ, **login, "MLFLOW_TRACKING_URI": who.uri},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        grown = {"client": int(done.stdout)} | {str(pid): _peak(pid) - before[pid] for pid in processes}
        assert max(grown.values()) < BOUND, f"{way}: {grown} MB"
    assert _digest(tmp_path / "down" / "large.bin") == _digest(large)
    who.call("DELETE", f"../mlflow-artifacts/artifacts/0/{run}/artifacts/large.bin")
