"""The gate: which trained models may enter the registry, and with which quality tier.
Pure: bounds and metrics go in, a verdict comes out; the bounds are data (gate.yaml, or one line of text)."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from failure import TrainingError

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_BOUND = re.compile(r"^\s*([A-Za-z_]\w*)\s*(>=|<=|>|<)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*$")
_TIER_NAME = re.compile(r"^[A-Za-z][\w-]{0,62}$")


@dataclass(frozen=True)
class Bound:
    """One condition on one metric, such as `accuracy > 0.9`."""

    metric: str
    comparison: str
    threshold: float

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """True if the metric satisfies the bound; a metric that is NaN satisfies none."""
        value = metrics[self.metric]
        return not math.isnan(value) and _COMPARE[self.comparison](value, self.threshold)

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison} {self.threshold:g}"


@dataclass(frozen=True)
class Tier:
    """A quality tier: its name and the bounds that must all hold."""

    name: str
    bounds: tuple[Bound, ...]

    def __str__(self) -> str:
        return f"{self.name}: {' and '.join(map(str, self.bounds))}"


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one model: its tier, or None with the reason."""

    tier: str | None
    reason: str

    @property
    def passed(self) -> bool:
        return self.tier is not None


@dataclass(frozen=True)
class Gate:
    """The tiers, best first."""

    tiers: tuple[Tier, ...]

    def judge(self, metrics: Mapping[str, float]) -> Verdict:
        """Give the first tier whose bounds all hold, or the bounds of the last (easiest) tier that were missed."""
        for tier in self.tiers:
            if all(bound.holds(metrics) for bound in tier.bounds):
                return Verdict(tier.name, str(tier))
        last = self.tiers[-1]
        missed = [f"{bound} (it is {metrics[bound.metric]:.4g})" for bound in last.bounds if not bound.holds(metrics)]
        return Verdict(None, f"not {last.name}: missed {' and '.join(missed)}")

    def __str__(self) -> str:
        return "; ".join(map(str, self.tiers))


def load_gate(declaration: str, directory: Path, metrics: tuple[str, ...]) -> Gate:
    """Read a gate from a YAML file beside the program (`gate.yaml`) or from text.

    Text is `accuracy > 0.9`, or tiers, best first: `gold: accuracy > 0.95 and f1 > 0.95; standard: accuracy > 0.9`.
    `metrics` are the names that a gate may use. Raises TrainingError for a gate that cannot be read as one.
    """
    if declaration.endswith((".yaml", ".yml")):
        path = directory / declaration
        if not path.is_file():
            raise TrainingError(f"The gate file {declaration} is not among the training code ({_names(directory)}).")
        return _from_yaml(path, metrics)
    return _from_text(declaration, metrics)


def _from_yaml(path: Path, metrics: tuple[str, ...]) -> Gate:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TrainingError(f"The gate file {path.name} is not YAML: {error}") from error
    tiers = content.get("tiers") if isinstance(content, dict) else None
    if not isinstance(tiers, list):
        raise TrainingError(f"The gate file {path.name} needs a list `tiers` of name and requires.")
    read = []
    for tier in tiers:
        if not (isinstance(tier, dict) and set(tier) == {"name", "requires"} and isinstance(tier["requires"], list)):
            raise TrainingError(f"In {path.name} a tier has a name and a list `requires`, this one is: {tier!r}.")
        read.append(_tier(str(tier["name"]), [str(bound) for bound in tier["requires"]], metrics))
    return _gate(read)


def _from_text(text: str, metrics: tuple[str, ...]) -> Gate:
    read = []
    for part in filter(str.strip, text.split(";")):
        name, colon, bounds = part.rpartition(":")
        read.append(_tier(name.strip() if colon else "standard", bounds.split(" and "), metrics))
    return _gate(read)


def _gate(tiers: list[Tier]) -> Gate:
    names = [tier.name for tier in tiers]
    if not tiers or len(set(names)) != len(names):
        raise TrainingError(f"A gate needs at least one tier, each with a name of its own; the names are {names}.")
    return Gate(tuple(tiers))


def _tier(name: str, bounds: list[str], metrics: tuple[str, ...]) -> Tier:
    if not _TIER_NAME.match(name):
        raise TrainingError(f"A tier's name is letters, digits, - and _, not {name!r}.")
    if not bounds:
        raise TrainingError(f"Tier {name} of the gate has no bounds: every model would pass. Give it at least one.")
    return Tier(name, tuple(_bound(text, metrics) for text in bounds))


def _bound(text: str, metrics: tuple[str, ...]) -> Bound:
    match = _BOUND.match(text)
    if not match:
        raise TrainingError(f"The gate's bound {text.strip()!r} is not of the form `accuracy > 0.9`.")
    metric, comparison, threshold = match.groups()
    if metric not in metrics:
        raise TrainingError(f"The gate may use {', '.join(metrics)}, not {metric}.")
    try:
        return Bound(metric, comparison, float(threshold))
    except ValueError as error:
        raise TrainingError(f"In the gate's bound {text.strip()!r}, {threshold} is not a number.") from error


def _names(directory: Path) -> str:
    return ", ".join(sorted(path.name for path in directory.glob("*.y*ml"))) or "no YAML files there"
