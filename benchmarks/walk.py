"""`make demo` on a warm machine: from the first job to the last prediction, and from a push to an answer from prod."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.results import Comparison

LIMIT_SECONDS = 60.0
PUSH_LIMIT_SECONDS = 20.0


def measure(console: Console) -> list[Comparison]:
    """Walk on a state of its own, so that no step is reused from an earlier walk."""
    root = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "walk.log").open("wb") as log:
            code = subprocess.run(
                [sys.executable, "-m", "demo"],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(root)},
                stdout=log,
                stderr=log,
                check=False,
            ).returncode
        if code != 0:
            shutil.copy(Path(folder) / "walk.log", root / ".local" / "bench" / "walk.log")
            raise RuntimeError("make demo failed; its output is in .local/bench/walk.log")
        summary = json.loads((Path(folder) / ".local" / "demo" / "summary.json").read_text())
    seconds = summary["seconds"]
    console.print("  " + ", ".join(f"{leg} {figure:.1f} s" for leg, figure in seconds.items()))
    walked = sum(seconds[leg] for leg in ("build", "deploy", "invoke"))
    pushed = max(update["seconds_from_push_to_prod"] for update in summary["updates"])
    return [
        Comparison(
            "make demo, first job to first release, invoked", "s", walked, LIMIT_SECONDS, "the limit", "lower", 1
        ),
        Comparison("git push of a pin, to prod answering", "s", pushed, PUSH_LIMIT_SECONDS, "the limit", "lower", 1),
    ]
