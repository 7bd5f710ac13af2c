"""The query after the grid: which number of leaves is best, and a picture of all runs as parallel coordinates.
Each line of the picture is a run; it goes through what the run was given and what came out, coloured by accuracy.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import click
import matplotlib as mpl
import mlflow
import numpy as np
import pandas as pd
from iris_grid import EXPERIMENT
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Line

AXES = {
    "params.leaf_nodes": "leaf nodes",
    "params.max_depth": "maximal depth",
    "metrics.test_accuracy": "accuracy",
    "metrics.test_f1_score": "F1 score",
}
_ACCURACY = "metrics.test_accuracy"
Colour = tuple[float, float, float, float]


@click.command()
@click.option("--experiment", default=EXPERIMENT, show_default=True)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), default=Path("iris-runs.png"))
def main(experiment: str, picture: Path) -> None:
    """Ask the server for the runs, say what is best, and draw."""
    runs = runs_of(experiment)
    best = runs[runs[_ACCURACY] == runs[_ACCURACY].max()]
    leaf_nodes = int(best["params.leaf_nodes"].min())
    of_best = mlflow.search_runs(
        experiment_names=[experiment],
        filter_string=f"params.leaf_nodes = '{leaf_nodes}' and metrics.test_accuracy < {best[_ACCURACY].iloc[0]}",
    )
    print(f"{len(best)} of {len(runs)} runs reach the best accuracy, {best[_ACCURACY].iloc[0]:.4f}")
    print(f"best leaf_nodes: {leaf_nodes} (the smallest tree that reaches it)")
    depths = sorted(int(depth) for depth in of_best["params.max_depth"]) if len(of_best) else []
    print(f"too shallow for it even so: max_depth {', '.join(map(str, depths)) or 'none'}")
    draw(runs, leaf_nodes).savefig(picture)
    print(f"picture: {picture.resolve()}")


def runs_of(experiment: str) -> pd.DataFrame:
    """The finished runs of the grid, numbers as numbers; refuses an experiment that has none."""
    try:
        runs = mlflow.search_runs(experiment_names=[experiment], filter_string="attributes.status = 'FINISHED'")
    except mlflow.MlflowException as error:
        raise click.ClickException(f"The server did not give the runs of {experiment}: {error.message}") from error
    missing = [name for name in AXES if name not in runs.columns]
    if missing:
        raise click.ClickException(
            f"The experiment {experiment} has no runs with {', '.join(missing)}: run `python iris_grid.py` first."
        )
    return runs.astype(dict.fromkeys(AXES, float)).dropna(subset=list(AXES))


def draw(runs: pd.DataFrame, highlighted: int) -> Figure:
    """The runs as lines through one axis a column, those with `highlighted` leaf nodes the strongest."""
    scaled = {name: _scaled(runs[name]) for name in AXES}
    colours = _colours(runs[_ACCURACY])
    figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    chosen = (runs["params.leaf_nodes"] == highlighted).to_numpy()
    for row in np.argsort(chosen, kind="stable"):
        heights = [scaled[name][row] for name in AXES]
        strength = {"alpha": 0.95, "linewidth": 2.2} if chosen[row] else {"alpha": 0.4, "linewidth": 0.9}
        axes.add_patch(PathPatch(_curve(heights), fill=False, edgecolor=colours[runs[_ACCURACY].iloc[row]], **strength))
    _label(axes, runs, f"{len(runs)} decision trees on iris; strong: {highlighted} leaf nodes")
    lines = [Line2D([], [], color=colour, label=f"{accuracy:.3f}") for accuracy, colour in reversed(colours.items())]
    axes.legend(handles=lines, title="accuracy", loc="center", bbox_to_anchor=(0.8, 0.4), frameon=False)
    return figure


def _scaled(values: pd.Series) -> np.ndarray:
    low, high = values.min(), values.max()
    return ((values - low) / ((high - low) or 1)).to_numpy()


def _colours(accuracies: pd.Series) -> dict[float, Colour]:
    """A colour a value, by rank: most accuracies lie close together."""
    values = sorted(accuracies.unique())
    return {value: mpl.colormaps["plasma_r"](0.15 + 0.75 * rank / len(values)) for rank, value in enumerate(values, 1)}


def _curve(heights: list[float]) -> Line:
    """Through the axes at 0, 1, 2, …, level at each, so that lines which cross there can be followed."""
    points, codes = [(0.0, heights[0])], [Line.MOVETO]
    for place, (left, right) in enumerate(pairwise(heights)):
        points += [(place + 0.4, left), (place + 0.6, right), (place + 1.0, right)]
        codes += [Line.CURVE4] * 3
    return Line(points, codes)


def _label(axes: Axes, runs: pd.DataFrame, title: str) -> None:
    axes.set(xlim=(-0.3, len(AXES) - 0.7), ylim=(-0.06, 1.06), title=title)
    axes.set_xticks(range(len(AXES)), list(AXES.values()), fontsize=11)
    axes.set_yticks([])
    axes.spines[["top", "left", "right", "bottom"]].set_visible(False)
    for place, name in enumerate(AXES):
        axes.axvline(place, color="0.3", linewidth=1)
        values = sorted(runs[name].unique())
        for height, value in zip(_scaled(pd.Series(values)), values, strict=True):
            said = f"{value:.0f}" if name.startswith("params.") else f"{value:.3f}"
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
            axes.text(place - 0.03, height, said, ha="right", va="center", fontsize=9, bbox=box)


if __name__ == "__main__":
    main()
