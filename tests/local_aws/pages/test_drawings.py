"""Graphs and plots as they are laid out: nothing overlaps, everything flows one way, axes have round numbers."""

from __future__ import annotations

import itertools

import pytest
from local_aws.pages import graph, scatter
from local_aws.pages.graph import Edge
from local_aws.pages.scatter import Observation


def edges(text: str) -> list[Edge]:
    return [Edge(*pair.split(">")) for pair in text.split()]


@pytest.mark.parametrize(
    "text",
    ["a>b", "a>b b>c a>c", "a>c b>c c>d c>e d>f e>f a>f", "a>b a>c a>d b>e c>e d>e a>e", "s>a s>b s>c a>z b>z c>z x>z"],
)
def test_a_graph_flows_to_the_right_and_no_boxes_overlap(text: str) -> None:
    links = edges(text)
    names = sorted({name for edge in links for name in (edge.source, edge.target)})
    drawing = graph.draw(names, links)
    at = {box.name: box for box in drawing.boxes}
    assert sorted(at) == names
    for edge in links:
        assert at[edge.source].x + graph.NODE_WIDTH < at[edge.target].x
    for one, other in itertools.combinations(drawing.boxes, 2):
        assert one.x != other.x or abs(one.y - other.y) >= graph.NODE_HEIGHT
    assert all(box.y >= 0 and box.y + graph.NODE_HEIGHT <= drawing.height for box in drawing.boxes)
    assert all(box.x + graph.NODE_WIDTH <= drawing.width for box in drawing.boxes)
    assert {curve.edge for curve in drawing.curves} == set(links)


def test_lines_that_need_not_cross_do_not() -> None:
    drawing = graph.draw(list("abcd"), edges("a>d b>c"))
    y = {box.name: box.y for box in drawing.boxes}
    assert (y["a"] < y["b"]) == (y["d"] < y["c"])


def test_a_line_over_a_layer_passes_beside_the_box_in_it() -> None:
    drawing = graph.draw(list("abc"), edges("a>b b>c a>c"))
    box = next(box for box in drawing.boxes if box.name == "b")
    long = next(curve for curve in drawing.curves if (curve.edge.source, curve.edge.target) == ("a", "c"))
    lane = float(long.path.split("H")[0].split(" ")[-1])
    assert not box.y <= lane <= box.y + graph.NODE_HEIGHT


def test_a_graph_of_nothing_is_empty() -> None:
    assert graph.draw([], []).boxes == ()


@pytest.mark.parametrize(
    ("low", "high"), [(0.9, 0.9667), (0, 1), (-3, 12), (1e-9, 3e-9), (4.2e6, 9e6), (0.5, 0.5), (0, 0), (-2, -2)]
)
def test_ticks_are_round_few_and_around_all_values(low: float, high: float) -> None:
    marks = scatter.ticks(low, high)
    assert marks[0] < low or low == high
    assert marks[0] <= low <= high <= marks[-1] * (1 + 1e-9) + 1e-12
    assert 2 <= len(marks) <= 9
    assert len({round((after - before) / (marks[1] - marks[0]), 6) for before, after in itertools.pairwise(marks)}) == 1


def test_all_points_lie_inside_the_axes_and_only_the_best_is_marked() -> None:
    values = [0.9, None, 0.97, 0.95]
    plot = scatter.plot([Observation(n, value, "", "") for n, value in enumerate(values, 1)], best=3)
    assert [point.best for point in plot.points] == [False, False, True, False]
    assert all(plot.left < point.x < plot.right and plot.top <= point.y <= plot.bottom for point in plot.points)
    assert plot.points[1].y == plot.bottom
    assert plot.points[2].y == min(point.y for point in plot.points)


def test_the_line_of_the_best_follows_the_direction_of_the_objective() -> None:
    falling = [Observation(n, value, "", "") for n, value in enumerate([3.0, 1.0, 2.0], 1)]
    assert scatter.plot(falling, best=2).frontier.count("V") == 1
    assert scatter.plot(falling, best=1).frontier.count("V") == 0


def test_many_trials_have_few_ticks() -> None:
    plot = scatter.plot([Observation(n, float(n), "", "") for n in range(1, 301)], best=300)
    assert len(plot.x_ticks) <= 12
    assert len(plot.points) == 300
