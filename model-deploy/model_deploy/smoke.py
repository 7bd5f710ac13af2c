"""The smoke test: the model's logged input example goes through the endpoint and must come back as the model predicts.
Imports nothing of MLflow or numpy, whose seconds a task that only asks an endpoint need not wait for."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_deploy.endpoint import JSON, ask
from model_deploy.errors import DeploymentError

_CALLS = 5
# Numbers may lose the last digits on their way through JSON and another machine's BLAS; labels may not change at all.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class SmokeTest:
    """What has to come back: one prediction a row of the input example.

    `served_as` is how the version under test names itself in an answer; empty where that is not known.
    """

    body: bytes
    expected: list[Any]
    served_as: str = ""


@dataclass(frozen=True)
class SmokeResult:
    """A smoke test that passed: rows compared, and the median round trip in milliseconds."""

    rows: int
    median_milliseconds: float


def run_smoke_test(
    runtime: Any,
    endpoint_name: str,
    test: SmokeTest,
    bound_milliseconds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> SmokeResult:
    """Send the example several times; compare every answer, and the median round trip after the first with the bound.

    Raises:
        DeploymentError: an answer differs, has another shape or is another version's, or the endpoint is slower than
            the bound.
    """
    took = []
    for _ in range(_CALLS + 1):
        began = clock()
        answer = ask(runtime, endpoint_name, test.body, JSON)
        took.append((clock() - began) * 1000)
        # A server of another make need not name what it serves.
        if test.served_as and answer.served_as not in ("", test.served_as):
            raise DeploymentError(
                f"The smoke test of {endpoint_name} failed: {answer.served_as} answers, not {test.served_as}. Another "
                "deployment came in between: see the endpoint's stack, and run the pipeline again."
            )
        _refuse_difference(endpoint_name, test.expected, answer.predictions)
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
    if _shape(answer) != _shape(expected):
        raise DeploymentError(
            f"{failed} the model predicts the shape {_shape(expected)}, the endpoint answered {_shape(answer)}. "
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


def _shape(rows: list[Any]) -> tuple[int, ...]:
    """Lengths of the nested lists, outermost first, by the first of each."""
    inner = _shape(rows[0]) if rows and isinstance(rows[0], list) else ()
    return (len(rows), *inner)
