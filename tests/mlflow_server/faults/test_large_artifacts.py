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
# Does what each line that it is told says, and answers that it has.
CLIENT = """
import sys
from mlflow import MlflowClient
client, (run, large, folder) = MlflowClient(), sys.argv[1:]
client.get_run(run)
print("ready", flush=True)
for line in sys.stdin:
    if line == "up\\n":
        client.log_artifact(run, large)
    else:
        client.download_artifacts(run, "large.bin", folder)
    print("done", flush=True)
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
    login = {"MLFLOW_TRACKING_USERNAME": who.login[0], "MLFLOW_TRACKING_PASSWORD": who.login[1]}
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, run, str(large), str(tmp_path / "down")],
        env={**os.environ, **login, "MLFLOW_TRACKING_URI": who.uri},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        processes = [client.pid, server.pid, *(child.pid for child in server.children(recursive=True))]
        for way in ("up", "down"):
            for pid in processes:
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # begins the peak anew
            before = {pid: _peak(pid) for pid in processes}
            client.stdin.write(f"{way}\n")
            client.stdin.flush()
            assert client.stdout.readline() == "done\n"
            grown = {pid: _peak(pid) - before[pid] for pid in processes}
            assert max(grown.values()) < BOUND, f"{way}: {grown} MB, the first is the client"
        client.stdin.close()
    assert client.returncode == 0
    assert _digest(tmp_path / "down" / "large.bin") == _digest(large)
    who.call("DELETE", f"../mlflow-artifacts/artifacts/0/{run}/artifacts/large.bin")
