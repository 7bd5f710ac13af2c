"""What a benchmark found: our figure, the peer's, and how many times better ours is.

A figure of a machine means little; the ratio of two that were measured in the same run means something."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Comparison:
    """One figure, ours and the peer's, in `unit`; `goal` is the least ratio to reach, None when there is none."""

    name: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    better: Better
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """How many times better ours is than the peer's; below 1 it is worse."""
        return self.peer / self.ours if self.better == "lower" else self.ours / self.peer

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached; None without a goal."""
        return None if self.goal is None else self.ratio >= self.goal

    def as_json(self) -> dict[str, Any]:
        """The entry of results.json."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 4),
            "peer": round(self.peer, 4),
            "peer_name": self.peer_name,
            "ratio": round(self.ratio, 2),
            "goal": self.goal,
            "reached": self.reached,
        }


def median(figures: Sequence[float]) -> float:
    """The middle of several rounds: one round that another program disturbed does not move it."""
    return statistics.median(figures)


def write(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write all comparisons to `path` as a JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([comparison.as_json() for comparison in comparisons], indent=2) + "\n")


def as_table(comparisons: Sequence[Comparison]) -> Table:
    """All comparisons as a table for a terminal."""
    table = Table(title="Ours against its peers")
    for heading in ("figure", "ours", "peer", "", "ratio", "goal", ""):
        table.add_column(heading, justify="right" if heading in ("ours", "peer", "ratio", "goal") else "left")
    verdicts = {True: "[green]reached[/]", False: "[red]not reached[/]", None: ""}
    for comparison in comparisons:
        table.add_row(
            f"{comparison.name} ({comparison.unit})",
            _figure(comparison.ours),
            _figure(comparison.peer),
            comparison.peer_name,
            f"{comparison.ratio:.2f}",
            "" if comparison.goal is None else f"{comparison.goal:g}",
            verdicts[comparison.reached],
        )
    return table


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
