"""The progress of an execution for a person: a live table on a terminal, a line for every change elsewhere.
It only shows; what there is to show comes as Execution."""

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from model_build.execution import Execution, Step, Trial

COLOURS = {"Succeeded": "green", "Completed": "green", "Failed": "red", "Stopped": "yellow"}


class Progress:
    """Shows one execution from its start to its end; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown: dict[str, str] = {}

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, execution: Execution) -> None:
        """Show the state now."""
        if self._live:
            self._live.update(_table(execution), refresh=True)
            return
        for step in execution.steps:
            for trial in step.trials if not step.cached else ():
                self._line(trial.name, f"  {_trial_name(trial)}: {trial.status}{_objective(trial)}")
            self._line(step.name, f"{step.name}: {_status(step)}")

    def _line(self, key: str, text: str) -> None:
        if self._shown.get(key) != text:
            self._shown[key] = text
            self._console.print(text, highlight=False, soft_wrap=True)


def _table(execution: Execution) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for step in execution.steps:
        table.add_row(step.name, _coloured(step.status, _status(step)))
        for trial in step.trials if not step.cached else ():
            table.add_row(f"  {_trial_name(trial)}", _coloured(trial.status, f"{trial.status}{_objective(trial)}"))
    return table


def _status(step: Step) -> str:
    if step.cached:
        return "cached: unchanged code, data and parameters, the earlier result is reused"
    seconds = f" in {step.seconds:.0f} s" if step.seconds is not None else ""
    return f"{step.status}{seconds}{_counts(step)}"


def _counts(step: Step) -> str:
    done = sum(trial.status in ("Completed", "Failed", "Stopped") for trial in step.trials)
    return f" ({done} of {len(step.trials)} started trials done)" if step.trials and step.status == "Executing" else ""


def _trial_name(trial: Trial) -> str:
    chosen = ", ".join(f"{name} {value}" for name, value in sorted(trial.hyperparameters.items()))
    return f"{'-'.join(trial.name.rsplit('-', 2)[1:])} ({chosen})" if chosen else trial.name


def _objective(trial: Trial) -> str:
    return f", accuracy {trial.objective:.4f}" if trial.objective is not None else ""


def _coloured(status: str, text: str) -> str:
    colour = COLOURS.get(status)
    return f"[{colour}]{text}[/{colour}]" if colour else text
