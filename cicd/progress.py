"""What a person sees of the CI/CD: the plan as a table, events as they happen, what there is in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cicd.plan import Change, Kind, Plan
from cicd.stack import Event, Stack
from cicd.teardown import Remains


@dataclass(frozen=True)
class Progress:
    """Prints to a console."""

    console: Console

    def say(self, line: str) -> None:
        """Print a line as it is: names and reasons hold brackets and numbers of their own."""
        self.console.print(Text(line), soft_wrap=True)

    def planned(self, plan: Plan, stack_name: str) -> None:
        """Print what would become of the stack: added resources by type, every other one by itself."""
        if plan.parameters:
            table = _table(f"Parameters of {stack_name}", "", "now", "then")
            for each in plan.parameters:
                table.add_row(each.name, Text(each.now or "(empty)"), Text(each.then or "(empty)"))
            self.console.print(table)
        table = _table(f"Plan for {stack_name}: {plan.action}", "", "type", "resources")
        added = [change for change in plan.changes if change.kind is Kind.ADDED]
        for type_name, group in groupby(added, lambda it: it.type):
            table.add_row(str(Kind.ADDED), type_name, ", ".join(change.resource for change in group))
        for change in plan.changes:
            if change.kind is not Kind.ADDED:
                table.add_row(str(change.kind), change.type, Text(_resource(change)))
        self.console.print(table)
        counts = {kind: sum(change.kind is kind for change in plan.changes) for kind in Kind}
        self.say(", ".join(f"{count} {kind}" for kind, count in counts.items() if count))

    def happened(self, event: Event) -> None:
        """Print an event, but not the beginnings, of which each has its end."""
        if event.status.endswith("_IN_PROGRESS") and event.reason in ("", "Resource creation Initiated"):
            return
        self.say(f"  {event.resource} {event.status}{': ' + event.reason if event.reason else ''}")

    def outputs(self, stack: Stack) -> None:
        """Print what the stack offers to those who come next."""
        self.say(f"Stack {stack.name}: {stack.status}")
        for name, value in sorted(stack.outputs.items()):
            # No table: an ARN is to be copied in one piece.
            self.say(f"  {name:<21} {value}")

    def connection(self, status: str | None, stack: Stack) -> None:
        """Say what a person has to do about the connection, if anything."""
        if status in (None, "AVAILABLE"):
            return
        self.say(
            f"The connection {stack.outputs['ConnectionArn']} is {status}: the repository cannot be read yet. "
            f"Finish it in the console, by 'Update pending connection': {stack.outputs.get('ConnectionUrl', '')}\n"
            "Until then executions fail at their stage Source, the first ones too, which began with the pipelines; "
            "release them afterwards by a push or by 'Release change'."
        )

    def pipelines(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Print each pipeline with the state of its stages."""
        table = _table("Pipelines", "pipeline", "stage", "state", "execution")
        for state in states:
            for stage in state["stageStates"]:
                latest = stage.get("latestExecution", {})
                table.add_row(
                    state["pipelineName"],
                    stage["stageName"],
                    latest.get("status", "-"),
                    latest.get("pipelineExecutionId", "-"),
                )
        self.console.print(table)

    def doomed(self, remains: Remains, *, endpoints: bool, artifacts: bool) -> None:
        """Say what a removal takes and what it leaves."""
        goes = [f"stack {remains.stack.name}: pipelines, builds, roles, notifications, serving images"]
        if remains.pipeline_bucket:
            goes.append(f"bucket {remains.pipeline_bucket} with the sources and releases of the pipelines")
        stays = ["models and runs in MLflow", "SageMaker pipelines and their jobs"]
        (goes if artifacts else stays).append(
            f"bucket {remains.artifact_bucket} with code, data, model packages and captures"
        )
        for stack in remains.endpoints:
            (goes if endpoints else stays).append(f"endpoint {stack.name}, which answers requests")
        table = _table(f"Removing the CI/CD of {remains.project}", "", "")
        for word, things in (("goes", goes), ("stays", stays)):
            for thing in things:
                table.add_row(word, Text(thing))
        self.console.print(table)


def _resource(change: Change) -> str:
    return f"{change.resource} ({', '.join(change.properties)})" if change.properties else change.resource


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=any(headings))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
