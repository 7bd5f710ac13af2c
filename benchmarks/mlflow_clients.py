"""MLflow's own client at a tracking server: a training's worth of metrics, and 2 GB of artifact with peaks of memory.

Each runs in a process of its own, so that its memory and its imports are its own.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.results import Comparison

GIGABYTES = 2
LIMIT_MEGABYTES = 256
NUMBERS = 100 * 1000
SINGLES = 300
EXAMPLE = Path("mlflow-server/examples/many_metrics.py")
_SINGLES = """
import sys, time
from mlflow import MlflowClient
client, number = MlflowClient(), int(sys.argv[1])
run = client.create_run(client.create_experiment(f"singles-{time.time_ns()}")).info.run_id
client.log_metric(run, "warm", 0)
began = time.perf_counter()
for step in range(number):
    client.log_metric(run, f"loss/layer_{step % 100:03}", 0.5, step=step)
print((time.perf_counter() - began) / number)
client.set_terminated(run)  # which prints, too
"""
# Prints by how many megabytes its memory grew at most, and the seconds it took.
_ARTIFACT = """
import resource, sys, time
from mlflow import MlflowClient
client, (way, run, path) = MlflowClient(), sys.argv[1:]
client.get_run(run)
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
if way == "up":
    client.log_artifact(run, path)
else:
    client.download_artifacts(run, "large.bin", path)
seconds = time.perf_counter() - began
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, seconds)
"""
_NEW_RUN = "from mlflow import MlflowClient; print(MlflowClient().create_run('0').info.run_id)"


def training(account: Mapping[str, str], console: Console) -> tuple[float, float]:
    """Seconds that 100,000 numbers take the way the examples teach, and by `log_metric`, of which 300 are measured."""
    said = _run(account, str(EXAMPLE))
    found = re.search(r"logged ([\d,]+) numbers in ([\d.]+) s", said)
    if found is None or int(found[1].replace(",", "")) != NUMBERS:
        raise RuntimeError(f"{EXAMPLE} did not log {NUMBERS:,} numbers: {said}")
    batches, singles = float(found[2]), float(_run(account, "-c", _SINGLES, str(SINGLES)).split()[0]) * NUMBERS
    console.print(f"  100 metrics x 1,000 steps: {batches:.1f} s in batches, {singles:,.0f} s by log_metric")
    return batches, singles


def large_artifact(home: Path, account: Mapping[str, str], console: Console) -> list[Comparison]:
    """Send a file of 2 GB up and down; how far the memory of client and server grew beyond what they had."""
    pid = json.loads((home / "server.json").read_text())["pid"]
    processes = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    run = _run(account, "-c", _NEW_RUN).strip()
    clients, servers = [], []
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.bin"
        with large.open("wb") as file:
            for _ in range(GIGABYTES * 1024):
                file.write(os.urandom(1024) * 1024)
        (Path(folder) / "down").mkdir()
        for way, path in (("up", large), ("down", Path(folder) / "down")):
            for process in processes:
                Path(f"/proc/{process}/clear_refs").write_text("5")  # begins the peak anew
            before = {process: _peak(process) for process in processes}
            client, seconds = map(float, _run(account, "-c", _ARTIFACT, way, run, str(path)).split())
            clients.append(client)
            servers.append(max(_peak(process) - before[process] for process in processes))
            rate = GIGABYTES * 1024 / seconds
            console.print(
                f"  {GIGABYTES} GB {way}: {seconds:.1f} s ({rate:.0f} MB/s), peak memory of the server "
                f"{max(_peak(process) for process in processes):.0f} MB (+{servers[-1]:.0f}), client +{client:.0f} MB"
            )
        if (Path(folder) / "down" / "large.bin").stat().st_size != large.stat().st_size:
            raise RuntimeError("the file that came down is not the one that went up")
    name = f"{GIGABYTES} GB artifact, memory that the"
    return [
        Comparison(f"{name} server took", "MB", max(1, *servers), LIMIT_MEGABYTES, "the limit", "lower", 1),
        Comparison(f"{name} client took", "MB", max(1, *clients), LIMIT_MEGABYTES, "the limit", "lower", 1),
    ]


def _run(account: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], env={**os.environ, **account}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"a client failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _peak(process: int) -> float:
    """The most memory a process had, in megabytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
