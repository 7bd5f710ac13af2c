"""The smoke test: what counts as the same prediction, and what fails a deployment."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from model_deploy.errors import DeploymentError
from model_deploy.expectation import prepare_smoke_test
from model_deploy.logged_model import read_logged_model
from model_deploy.smoke import SmokeTest, run_smoke_test

LABELS = SmokeTest(b"{}", ["setosa", "virginica"])


class Answering:
    """A runtime whose endpoint always gives one answer."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.answer)}


class Failing:
    """A runtime that always fails in one way."""

    def __init__(self, **error: Any) -> None:
        self.error = error

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        raise ClientError({"Error": self.error, **self.error}, "InvokeEndpoint")


def smoke(answer: Any, test: SmokeTest = LABELS) -> Any:
    return run_smoke_test(Answering(json.dumps({"predictions": answer}).encode()), "iris-staging", test, 60_000)


@pytest.mark.parametrize("answer", [["setosa", "setosa"], [0, 2], ["setosa", None]])
def test_another_prediction_fails_with_the_row_named(answer: list[Any]) -> None:
    with pytest.raises(
        DeploymentError, match=r"for row \d of the input example the model predicts '\w+', the endpoint"
    ):
        smoke(answer)


@pytest.mark.parametrize("answer", [[], ["setosa"], ["setosa", "virginica", "setosa"], [["setosa"], ["virginica"]]])
def test_another_shape_fails(answer: list[Any]) -> None:
    with pytest.raises(DeploymentError, match=r"the model predicts the shape \(2,\), the endpoint answered \("):
        smoke(answer)


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b"[1]", b'{"predictions": 1}'])
def test_something_other_than_predictions_fails(answer: bytes) -> None:
    with pytest.raises(DeploymentError, match="endpoint iris-staging answered"):
        run_smoke_test(Answering(answer), "iris-staging", LABELS, 60_000)


def test_an_endpoint_slower_than_the_bound_fails() -> None:
    ticks = iter(range(100))
    runtime = Answering(b'{"predictions": ["setosa", "virginica"]}')
    with pytest.raises(DeploymentError, match=r"answers in 1000 ms \(median of 5\), the stage's bound is 999 ms"):
        run_smoke_test(runtime, "iris-staging", LABELS, 999, clock=lambda: float(next(ticks)))


def test_a_refusal_by_the_container_is_passed_on_with_its_status() -> None:
    runtime = Failing(
        Code="ModelError", Message="m", OriginalStatusCode=500, OriginalMessage='{"message": "no such column"}'
    )
    with pytest.raises(DeploymentError, match=r"answered 500: no such column .*/aws/sagemaker/Endpoints/iris-staging"):
        run_smoke_test(runtime, "iris-staging", LABELS, 60_000)


def test_numbers_may_lose_their_last_digits_and_no_more() -> None:
    test = SmokeTest(b"{}", [[0.1, 0.9], [1.0, 0.0]])
    assert smoke([[0.1 + 1e-9, 0.9], [1, 0.0]], test).rows == 2
    with pytest.raises(DeploymentError, match="for row 0"):
        smoke([[0.1001, 0.8999], [1.0, 0.0]], test)


def test_a_model_predicts_its_own_example_here(saved_model: Path) -> None:
    test = prepare_smoke_test(read_logged_model(saved_model))
    assert test.expected == ["setosa", "versicolor", "virginica"]
    assert {type(label) for label in test.expected} == {str}
    assert len(json.loads(test.body)["dataframe_split"]["data"]) == 3


def test_a_model_that_cannot_predict_its_own_example_is_not_deployed(saved_model: Path, tmp_path: Path) -> None:
    shutil.copytree(saved_model, tmp_path / "model")
    (tmp_path / "model" / "model.skops").write_bytes(b"torn")
    with pytest.raises(DeploymentError, match="cannot predict its own input example in this process"):
        prepare_smoke_test(read_logged_model(tmp_path / "model"))
