"""The drawing of a graph of steps: layers from left to right, few crossings, curves around what is between.

Lengths are SVG user units, which a page shows as CSS pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

NODE_WIDTH, NODE_HEIGHT = 216, 60
_BEND = 28
_COLUMN_GAP, _ROW_GAP, _MARGIN = 2 * _BEND + 16, 20, 6
_SWEEPS = 4


@dataclass(frozen=True)
class Edge:
    """`target` waits for `source`; `label` says under which condition."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Box:
    """Where a node is: its upper left corner."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Curve:
    """How an edge runs: an SVG path, and the place of its label."""

    edge: Edge
    path: str
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Drawing:
    """A graph laid out."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]


def draw(names: Sequence[str], edges: Iterable[Edge]) -> Drawing:
    """Lay out an acyclic graph; raises `graphlib.CycleError` for any other."""
    edges = list(edges)
    layer = _layers(names, edges)
    # An edge over several layers gets a stop in each, so that it has a lane of its own between the nodes.
    stops: dict[Edge, list[str]] = {}
    columns: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for name in names:
        columns[layer[name]].append(name)
    for number, edge in enumerate(edges):
        stops[edge] = [f"{number} {column}" for column in range(layer[edge.source] + 1, layer[edge.target])]
        for column, stop in enumerate(stops[edge], layer[edge.source] + 1):
            columns[column].append(stop)
    chains = {edge: [edge.source, *stops[edge], edge.target] for edge in edges}
    links = [pair for chain in chains.values() for pair in pairwise(chain)]
    columns = _uncrossed(columns, links)
    real = set(names)
    places = _places(columns, real)
    boxes = tuple(Box(name, *places[name]) for name in names)
    curves = tuple(_curve(edge, [places[stop] for stop in chain]) for edge, chain in chains.items())
    width = len(columns) * (NODE_WIDTH + _COLUMN_GAP) - _COLUMN_GAP + 2 * _MARGIN
    height = max((y for _, y in places.values()), default=0) + NODE_HEIGHT + _MARGIN
    return Drawing(width, height, boxes, curves)


def _layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The length of the longest way to each node."""
    before: dict[str, set[str]] = {name: set() for name in names}
    for edge in edges:
        before[edge.target].add(edge.source)
    layer: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        layer[name] = 1 + max((layer[source] for source in before[name]), default=-1)
    return layer


def _uncrossed(columns: list[list[str]], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The columns, each in the order of the mean place of its neighbours, seen from both sides in turn."""
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for source, target in links:
        left.setdefault(target, []).append(source)
        right.setdefault(source, []).append(target)
    columns = [list(column) for column in columns]
    for sweep in range(_SWEEPS):
        order, neighbours = (range(len(columns)), left) if sweep % 2 == 0 else (range(len(columns))[::-1], right)
        for index in order:
            place = {name: row for column in columns for row, name in enumerate(column)}
            columns[index].sort(key=functools.partial(_mean, neighbours=neighbours, place=place))
    return columns


def _mean(name: str, neighbours: Mapping[str, list[str]], place: Mapping[str, int]) -> float:
    near = neighbours.get(name)
    return sum(place[other] for other in near) / len(near) if near else place[name]


def _places(columns: list[list[str]], real: set[str]) -> dict[str, tuple[float, float]]:
    """Upper left corners, each column centred on the tallest."""
    heights = [sum((NODE_HEIGHT if name in real else 0) + _ROW_GAP for name in column) - _ROW_GAP for column in columns]
    tallest = max(heights, default=0)
    places: dict[str, tuple[float, float]] = {}
    for index, column in enumerate(columns):
        y = _MARGIN + (tallest - heights[index]) / 2
        for name in column:
            # The place of a stop is where its edge passes, half a node above which its corner would be.
            own = NODE_HEIGHT if name in real else 0
            places[name] = (_MARGIN + index * (NODE_WIDTH + _COLUMN_GAP), y if own else y - NODE_HEIGHT / 2)
            y += own + _ROW_GAP
    return places


def _curve(edge: Edge, chain: Sequence[tuple[float, float]]) -> Curve:
    middle = NODE_HEIGHT / 2
    x, y = chain[0][0] + NODE_WIDTH, chain[0][1] + middle
    label = (x + _BEND / 2, y - 6)
    path = [f"M{x:g} {y:g}"]
    for index, (left, top) in enumerate(chain[1:], 1):
        to = top + middle
        path.append(f"C{x + _BEND:g} {y:g} {left - _BEND:g} {to:g} {left:g} {to:g}")
        x, y = left, to
        if index < len(chain) - 1:
            x = left + NODE_WIDTH
            path.append(f"H{x:g}")
    return Curve(edge, "".join(path), *label)
