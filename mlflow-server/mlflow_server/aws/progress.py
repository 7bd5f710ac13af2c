"""What a person sees of a deployment: the plan and what it costs, events as they happen, what there is at last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlflow_server.aws.cost import Estimate, Prices
from mlflow_server.aws.plan import Change, Kind, Plan
from mlflow_server.aws.removal import Remains
from mlflow_server.aws.stack import Event, Stack

# A build log and a pipe have no width of their own; the tables need this much.
_WIDTH = 120


@dataclass(frozen=True)
class Progress:
    """Prints to a console."""

    console: Console

    @classmethod
    def here(cls) -> Progress:
        """On the standard output."""
        console = Console()
        if not console.is_terminal:
            console.width = _WIDTH
        return cls(console)

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

    def costs(self, sizes: Sequence[Estimate], chosen: str, prices: Prices) -> None:
        """Print what each size costs, the chosen one marked."""
        headings = [f"{each.size} (chosen)" if each.size == chosen else each.size for each in sizes]
        table = _table("Estimated cost in USD a month, from nobody working to everything scaled out", "", *headings)
        for name in ("servers", "database", "load balancer", "network", "storage, secrets, logs, alarms"):
            cells = []
            for each in sizes:
                ((item, cost),) = [(item, cost) for item, cost in each.items.items() if item.startswith(name)]
                detail = item.removeprefix(name).strip()
                cells.append(f"{cost}\n{detail}" if detail else str(cost))
            table.add_row(name, *cells)
        table.add_row("together", *(str(each.total) for each in sizes), style="bold")
        self.console.print(table)
        self.say(
            f"List prices of {prices.region}, {prices.date}, with {prices.assumed['artifact_gb']:g} GB of artifacts "
            f"and {prices.assumed['database_gb']:g} GB of runs; traffic, requests and backups come on top."
        )

    def happened(self, event: Event) -> None:
        """Print an event that says something."""
        if event.telling:
            self.say(f"  {event.resource} {event.status}{': ' + event.reason if event.reason else ''}")

    def outputs(self, stack: Stack) -> None:
        """Print what the stack offers to those who come next."""
        self.say(f"Stack {stack.name}: {stack.status}")
        for name, value in sorted(stack.outputs.items()):
            # No table: an ARN is to be copied in one piece.
            self.say(f"  {name:<23} {value}")

    def doomed(self, remains: Remains, *, data: bool) -> None:
        """Say what a removal takes and what it leaves."""
        goes = [f"stack {remains.stack.name}: servers, load balancer, network, images, logs, accounts"]
        stays = []
        if data:
            goes += [
                f"database {remains.cluster} with all runs and models, and its backups",
                f"bucket {remains.bucket} with all artifacts",
                "key of the database and two secrets that open credentials in it, after 30 days in which that can be "
                "called off",
            ]
        else:
            goes.append(f"database {remains.cluster}")
            stays += [
                "a final snapshot of the database with all runs and models",
                f"bucket {remains.bucket} with all artifacts",
                "key of the snapshot, and two secrets that open credentials in it",
            ]
        table = _table(f"Removing the MLflow server {remains.server}", "", "")
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
