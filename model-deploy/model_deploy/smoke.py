"""The smoke test: the model's logged input example goes through the endpoint and must come back as the model predicts.
The model is asked in this process, from the very files that were packed."""

import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import Model

from model_deploy.endpoint import JSON, predict
from model_deploy.errors import DeploymentError
from model_deploy.logged_model import LoggedModel

_CALLS = 5
# Numbers may lose the last digits on their way through JSON and another machine's BLAS; labels may not change at all.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class SmokeTest:
    """What has to come back: one prediction a row of the input example."""

    body: bytes
    expected: list[Any]


@dataclass(frozen=True)
class SmokeResult:
    """A smoke test that passed: rows compared, and the median round trip in milliseconds."""

    rows: int
    median_milliseconds: float


def prepare_smoke_test(model: LoggedModel) -> SmokeTest:
    """Ask the model itself what it predicts for its input example.

    Raises:
        DeploymentError: the model cannot be loaded here, or cannot predict its own example.
    """
    directory = str(model.directory)
    try:
        example = Model.load(directory).load_input_example(directory)
        with warnings.catch_warnings():
            # A model that was fitted on arrays is given named columns by MLflow, which scikit-learn remarks upon.
            warnings.filterwarnings("ignore", message="X has feature names", category=UserWarning)
            predictions = mlflow.pyfunc.load_model(directory).predict(example)
    # A model is anyone's code: whatever it raises says that it would not serve either.
    except Exception as error:
        raise DeploymentError(
            f"The model cannot predict its own input example in this process ({type(error).__name__}: {error}). It "
            "would not do so in the endpoint either; if a package is missing here, add it to "
            "model-deploy/pyproject.toml."
        ) from error
    return SmokeTest(model.serving_example, _rows(predictions))


def run_smoke_test(
    runtime: Any,
    endpoint_name: str,
    test: SmokeTest,
    bound_milliseconds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> SmokeResult:
    """Send the example several times; compare every answer, and the median round trip after the first with the bound.

    Raises:
        DeploymentError: an answer differs, has another shape, or the endpoint is slower than the bound.
    """
    took = []
    for _ in range(_CALLS + 1):
        began = clock()
        answer = predict(runtime, endpoint_name, test.body, JSON)
        took.append((clock() - began) * 1000)
        _refuse_difference(endpoint_name, test.expected, answer)
    median = statistics.median(took[1:])
    if median > bound_milliseconds:
        raise DeploymentError(
            f"The smoke test of {endpoint_name} failed: it answers in {median:.0f} ms (median of {_CALLS}), the "
            f"stage's bound is {bound_milliseconds} ms. Take a larger instance_type or raise "
            "smoke_test.latency_milliseconds."
        )
    return SmokeResult(len(test.expected), median)


def _refuse_difference(endpoint_name: str, expected: list[Any], answer: list[Any]) -> None:
    failed = f"The smoke test of {endpoint_name} failed:"
    advice = "The endpoint does not serve this model faithfully: see its log, and pin the version that served before."
    if np.shape(answer) != np.shape(expected):
        raise DeploymentError(
            f"{failed} the model predicts the shape {np.shape(expected)}, the endpoint answered {np.shape(answer)}. "
            f"{advice}"
        )
    for row, (should, found) in enumerate(zip(expected, answer, strict=True)):
        if not _same(should, found):
            raise DeploymentError(
                f"{failed} for row {row} of the input example the model predicts {should!r}, the endpoint answered "
                f"{found!r}. {advice}"
            )


def _same(should: Any, found: Any) -> bool:
    if isinstance(should, list):
        return isinstance(found, list) and len(should) == len(found) and all(map(_same, should, found))
    if isinstance(should, float) and isinstance(found, int | float):
        return math.isclose(should, found, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    if isinstance(should, float) and math.isnan(should):
        return found is None  # JSON has no NaN
    return type(should) is type(found) and bool(should == found)


def _rows(predictions: Any) -> list[Any]:
    if isinstance(predictions, pd.DataFrame | pd.Series):
        predictions = predictions.to_numpy()
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    return [_plain(row) for row in np.asarray(predictions).tolist()]


def _plain(value: Any) -> Any:
    """An array of objects keeps numpy's own scalars (labels are often np.str_), which are no JSON values."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
