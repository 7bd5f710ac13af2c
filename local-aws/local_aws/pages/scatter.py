"""The drawing of a scatter plot: one point a trial, its objective over its number, and the best value so far as a line.

Lengths are SVG user units, which a page shows as CSS pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 16, 44
_TICKS = 5


@dataclass(frozen=True)
class Observation:
    """One trial: `value` is None where it has no objective (yet)."""

    number: int
    value: float | None
    title: str
    path: str


@dataclass(frozen=True)
class Point:
    """Where an observation is drawn; one without a value lies on the axis."""

    observation: Observation
    x: float
    y: float
    best: bool


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: its place along that axis, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Plot:
    """A scatter plot laid out; `frontier` is the SVG path of the best value so far."""

    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    frontier: str
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM
    width: float = WIDTH
    height: float = HEIGHT


def plot(observations: Sequence[Observation], best: int | None) -> Plot:
    """Lay out observations; `best` is the number of the one to be marked."""
    values = [each.value for each in observations if each.value is not None]
    marks = ticks(min(values, default=0.0), max(values, default=1.0))
    low, high = marks[0], marks[-1]
    most = max((each.number for each in observations), default=1)

    def across(number: float) -> float:
        return _LEFT + (number - 0.5) / most * (WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    points = tuple(
        Point(
            each,
            round(across(each.number), 1),
            round(up(low if each.value is None else each.value), 1),
            each.number == best,
        )
        for each in observations
    )
    every = max(1, math.ceil(most / 12))
    digits = max(0, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9))
    return Plot(
        points,
        tuple(Tick(round(across(number), 1), str(number)) for number in range(1, most + 1) if number % every == 0),
        tuple(Tick(round(up(mark), 1), f"{mark:.{digits}f}") for mark in marks),
        _frontier(points, observations, best),
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, evenly apart, from below `low` to at or above `high`; at least two."""
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        pad = abs(low) * 0.05 or 0.5
        low, high = low - pad, high + pad
    rough = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * 0.999)
    # What has a value lies above the axis: on it lies what has none.
    first, last = math.ceil(low / step - 1e-9) - 1, math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _frontier(points: Sequence[Point], observations: Sequence[Observation], best: int | None) -> str:
    """The staircase through the points that were better than all before them."""
    valued = [point for point in points if point.observation.value is not None]
    goal = next((each.value for each in observations if each.number == best), None)
    if goal is None or len(valued) < 2:
        return ""
    upward = goal >= max(point.observation.value or 0.0 for point in valued)
    stairs = [valued[0]]
    for point in valued[1:]:
        # Up on the page is a smaller y.
        if (point.y < stairs[-1].y) if upward else (point.y > stairs[-1].y):
            stairs.append(point)
    path = f"M{stairs[0].x:g} {stairs[0].y:g}"
    for _, after in pairwise(stairs):
        path += f"H{after.x:g}V{after.y:g}"
    return f"{path}H{valued[-1].x:g}"
