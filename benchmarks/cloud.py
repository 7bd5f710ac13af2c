"""A local cloud and an MLflow server of a benchmark's own, in a temporary home."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def server(module: str, home: Path) -> Iterator[tuple[str, float]]:
    """Run `python -m module up --foreground` while the block runs; its address and the seconds until it said so."""
    # What a user's machine has: bytecode compiled once.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("ab") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", module, "up", "--foreground", "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            address = next((word for word in line.split() if word.startswith("http://127.0.0.1")), None)
            if address:
                yield address, time.perf_counter() - started
                break
        else:
            raise RuntimeError(f"{module} did not start; read {home / 'server.log'}")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
