"""How good a trained classifier is: metrics on the splits, and the confusion matrix as a picture.
Tuning and gate see train and validation only; the test split is reported, so that nothing is selected on it."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.base import ClassifierMixin, clone
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from splits import Split, Splits

# What the gate and the tuner may look at, in the order in which they are shown.
SELECTION_METRICS = ("accuracy", "f1", "cv_accuracy")
FOLDS = 5


def selection_metrics(model: ClassifierMixin, splits: Splits, seed: int) -> dict[str, float]:
    """Accuracy and macro f1 on validation, and the accuracy cross-validated (stratified, 5 folds) within train."""
    accuracy, f1 = _scores(model, splits.validation)
    return {"accuracy": accuracy, "f1": f1, "cv_accuracy": _cross_validated(model, splits.train, seed)}


def test_metrics(model: ClassifierMixin, splits: Splits) -> dict[str, float]:
    """Accuracy and macro f1 on the test split: for the record, never for a choice."""
    accuracy, f1 = _scores(model, splits.test)
    return {"test_accuracy": accuracy, "test_f1": f1}


def draw_confusion_matrix(model: ClassifierMixin, split: Split, path: Path) -> None:
    """Write the confusion matrix of one split as a PNG (rows: true class, columns: predicted class)."""
    labels = model.classes_
    counts = confusion_matrix(split.labels, model.predict(split.features), labels=labels)
    # Figure and canvas without pyplot: pyplot keeps global state and looks for a display.
    figure = Figure(figsize=(3.6, 3.4), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(labels)), [str(label) for label in labels])
    axes.set_yticks(range(len(labels)), [str(label) for label in labels])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"confusion matrix, {split.name}")
    dark = counts.max() / 2
    for row, column in np.ndindex(counts.shape):
        colour = "white" if counts[row, column] > dark else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    figure.savefig(path, format="png")


def _scores(model: ClassifierMixin, split: Split) -> tuple[float, float]:
    predicted = model.predict(split.features)
    return float(accuracy_score(split.labels, predicted)), float(f1_score(split.labels, predicted, average="macro"))


def _cross_validated(model: ClassifierMixin, train: Split, seed: int) -> float:
    smallest_class = int(np.unique(train.labels, return_counts=True)[1].min())
    folds = StratifiedKFold(min(FOLDS, smallest_class), shuffle=True, random_state=seed)
    return float(cross_val_score(clone(model), train.features, train.labels, cv=folds).mean())
