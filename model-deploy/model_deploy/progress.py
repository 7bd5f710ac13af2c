"""What a person sees of a release: the plan as now and then, events as they happen, and how each stage ended."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model_deploy.executor import Event
from model_deploy.pin import Pin
from model_deploy.plan import Action, Plan
from model_deploy.release import Candidate
from model_deploy.smoke import SmokeResult


@dataclass(frozen=True)
class ConsoleProgress:
    """Prints a release to a console."""

    console: Console

    def resolved(self, pin: Pin, candidate: Candidate) -> None:
        """Say which version the pin names."""
        version = candidate.version
        tier = f"tier {version.tier}" if version.tier else "without a tier"
        named = str(pin) if pin.number else f"{pin} is version {version.number}"
        self._say(f"{named} ({tier}), run {version.run_id or 'unknown'}")

    def planned(self, plan: Plan) -> None:
        """Print what a stage is now and what it will be."""
        name = plan.deployment.endpoint_name
        if plan.action is Action.NOTHING:
            self._say(f"Plan for {name}: nothing to change, it serves {plan.serves_now} already")
            return
        if plan.now is None:
            there = "its creation failed before, and the remains are removed first"
            now = there if plan.action is Action.CREATE_ANEW else "it is not there yet"
            parameters = plan.deployment.parameters
            self._say(
                f"Plan for {name}: {plan.action} ({now}); it will serve {plan.serves_then} on "
                f"{parameters['InstanceCount']} {parameters['InstanceType']}"
            )
            return
        now = f"it serves {plan.serves_now}"
        table = Table(title=f"Plan for {name}: {plan.action}; {now}", title_justify="left")
        for heading in ("", "now", "then"):
            table.add_column(heading, overflow="fold")
        for change in plan.changes:
            table.add_row(change.name, Text("-" if change.now is None else change.now), Text(change.then or "(empty)"))
        if plan.template_changed:
            table.add_row("endpoint.yaml", "another", "as in this commit")
        self.console.print(table)

    def shipped(self, uri: str, *, uploaded: bool) -> None:
        """Say where the package lies."""
        self._say(f"Package {uri} ({'uploaded' if uploaded else 'there already'})")

    def deploying(self, plan: Plan) -> None:
        """Say that a stage begins."""
        if plan.action is not Action.NOTHING:
            self._say(f"Deploying {plan.deployment.endpoint_name}")

    def happened(self, event: Event) -> None:
        """Print an event of the stack, but not the second of the two that every creation begins with."""
        if event.reason == "Resource creation Initiated":
            return
        self._say(f"  {event.resource} {event.status}{': ' + event.reason if event.reason else ''}")

    def deployed(self, plan: Plan, *, changed: bool) -> None:
        """Say what the endpoint serves now."""
        name, what = plan.deployment.endpoint_name, plan.serves_then
        self._say(f"{name} serves {what}" if changed else f"{name}: nothing to change, it serves {what} already")

    def taking_back(self, plan: Plan) -> None:
        """Say that a stage goes back to what it served before."""
        self._say(f"Taking {plan.deployment.endpoint_name} back to {plan.serves_now}")

    def smoked(self, endpoint_name: str, result: SmokeResult) -> None:
        """Say that a smoke test passed."""
        self._say(
            f"Smoke test of {endpoint_name} passed: {result.rows} rows as the model predicts them, "
            f"{result.median_milliseconds:.1f} ms"
        )

    def awaiting_approval(self, stage_name: str) -> None:
        """Say that a stage was left alone."""
        self._say(f"{stage_name} is untouched: deploy it with --approve")

    def _say(self, line: str) -> None:
        # File names and reasons hold brackets and numbers of their own: no markup, no colouring of them.
        self.console.print(Text(line), soft_wrap=True)
