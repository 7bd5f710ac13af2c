"""The gate as the jobs will read it, read before any of them is started: a typing error must not cost a tuning job.
The jobs' own code does the reading, from model-build/source."""

import importlib
import sys
from pathlib import Path

from model_build.errors import BuildError
from model_build.shipping import SOURCE

# What source/evaluation.py measures on the validation split; importing that costs seconds.
SELECTION_METRICS = ("accuracy", "f1", "cv_accuracy")


def check_gate(declaration: str, source: Path = SOURCE) -> None:
    """Raise BuildError for a gate that the training jobs could not read."""
    sys.path.insert(0, str(source))
    try:
        gate, failure = importlib.import_module("gate"), importlib.import_module("failure")
    finally:
        sys.path.remove(str(source))
    try:
        gate.load_gate(declaration, source, SELECTION_METRICS)
    except failure.TrainingError as error:
        raise BuildError(str(error)) from error
