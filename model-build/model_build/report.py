"""What a build ends with: the table of trials, where to look in MLflow, or what failed; and the same as JSON."""

import json
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from model_build.execution import Execution
from model_build.failures import Failure
from model_build.results import Result, Results

METRICS = ("accuracy", "f1", "cv_accuracy", "test_accuracy")


def print_results(console: Console, execution: Execution, results: Results, model_name: str) -> None:
    """Print the table and the addresses; the best registered trial is marked."""
    names = sorted({name for result in results.trials for name in result.trial.hyperparameters})
    table = Table(title=f"Trials of {model_name}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("trial", *names, *METRICS, "tier", "version"):
        # Names of two words on two lines: the table fits a terminal of 80 columns.
        heading = name.replace("-", "\n", 1).replace("_", "\n")
        table.add_column(heading, justify="left" if name in ("trial", "tier") else "right", no_wrap=True)
    for number, result in enumerate(results.trials, start=1):
        best = " *" if result is results.best else ""
        table.add_row(
            f"{number}{best}",
            *(result.trial.hyperparameters.get(name, "") for name in names),
            *(_number(result.metrics.get(name)) for name in METRICS),
            result.tier or result.trial.status,
            result.version or "-",
        )
    console.print(table)
    for number, result in enumerate(results.trials, start=1):
        if result.trial.failure_reason:
            console.print(f"Trial {number} failed: {escape(result.trial.failure_reason)}", soft_wrap=True)
    for cached in (step for step in execution.steps if step.cached):
        console.print(f"{cached.name} was not run again: unchanged, reused from {cached.cached_from}", soft_wrap=True)
    if results.versions:
        console.print(f"Registered versions of {model_name}: {', '.join(map(str, results.versions))} (* best)")
    else:
        console.print(f"No model passed the gate: nothing is registered.{_why(results.trials)}", soft_wrap=True)
    console.print(f"Runs:  {results.experiment_url}\nModel: {results.model_url}", highlight=False, soft_wrap=True)


def print_failures(console: Console, failures: list[Failure]) -> None:
    """Print each reason, and the last lines of the log that goes with it."""
    for failure in failures:
        console.print(f"[red]{escape(failure.where)} failed:[/red] {escape(failure.reason)}", soft_wrap=True)
        for line in failure.log:
            console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)


def write_summary(path: Path, execution: Execution, results: Results | None) -> None:
    """Write the outcome as JSON for whatever comes after this command."""
    summary = {
        "execution": execution.arn,
        "status": execution.status,
        "steps": {step.name: {"status": step.status, "cached": step.cached} for step in execution.steps},
        "trials": [_summary(result) for result in results.trials] if results else [],
        "registered_versions": list(results.versions) if results else [],
        "best_version": int(results.best.version) if results and results.best else None,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def _summary(result: Result) -> dict[str, object]:
    return {
        "training_job": result.trial.name,
        "status": result.trial.status,
        "hyperparameters": dict(result.trial.hyperparameters),
        "metrics": dict(result.metrics),
        "tier": result.tier,
        "version": int(result.version) if result.version else None,
        "run_id": result.run_id,
    }


def _number(value: float | None) -> str:
    return f"{value:.4f}" if value is not None else ""


def _why(trials: tuple[Result, ...]) -> str:
    """What kept the best of the trials out."""
    judged = [result for result in trials if result.reason]
    best = max(judged, key=lambda result: result.metrics.get("accuracy", 0.0), default=None)
    return f" The best one: {best.reason}." if best else ""
