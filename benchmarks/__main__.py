"""`python -m benchmarks`: run all benchmarks, or the ones named, print a table and write .local/bench/results.json.

Exits with 1 when a goal is not reached."""

import importlib
import os
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks import results

# Each has a function `measure` that returns its comparisons.
BENCHMARKS = ("endpoint", "tuning", "start", "build", "mlflow_server", "walk")
RESULTS = Path(".local/bench/results.json")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(BENCHMARKS))
def main(names: tuple[str, ...]) -> None:
    """Measure ours and its peers in the same run."""
    # Told to stop, end by the way that also ends the servers under measurement.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(143))
    console = Console()
    load = os.getloadavg()[0]
    if load > 0.5:
        console.print(f"Something else is using this machine (load {load:.1f}), which makes all figures worse.")
    comparisons: list[results.Comparison] = []
    for name in names or BENCHMARKS:
        console.print(f"[bold]{name}[/]")
        comparisons += importlib.import_module(f"benchmarks.{name}").measure(console)
        results.write(comparisons, RESULTS)  # now, so that a later one that fails loses nothing
    console.print(results.as_table(comparisons))
    console.print(f"Written to {RESULTS}")
    sys.exit(int(any(comparison.reached is False for comparison in comparisons)))


if __name__ == "__main__":
    main()
