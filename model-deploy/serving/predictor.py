"""The model, opened and ready to answer: bytes of a scoring request in, bytes of predictions out.

Opening is skops's, which builds only types that are known or listed: https://skops.readthedocs.io/en/stable/persistence.html"""

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import scoring_request
import scoring_response
import skops.io
from enforcement import enforce
from logged_model import LoggedModel
from refusals import RequestRefused, StartRefused
from sklearn.base import BaseEstimator
from skops.io.exceptions import UntrustedTypesFoundException

# The list of trusted types comes with the model, so the model must not be able to trust just anything: only what these
# packages define. A model with types of another package needs that package in requirements.txt and its name here.
TRUSTED_PACKAGES = frozenset({"collections", "numpy", "pandas", "scipy", "sklearn"})


class Predictor:
    """One opened model. `answer` may be called from several threads."""

    def __init__(self, model: LoggedModel) -> None:
        """Open the model. Raises StartRefused when it cannot be opened safely, or lacks the method to answer by."""
        estimator = _open(model)
        self.signature = model.signature
        self._names = model.signature.names
        self._takes_matrix = model.signature.is_numeric and _forget_names(estimator, self._names)
        try:
            self._predict = getattr(estimator, model.predict_method)
        except AttributeError as error:
            raise StartRefused(f"The model has no {model.predict_method}: {error}.") from error

    def answer(self, body: bytes, content_type: bytes | None, accept: bytes | None) -> tuple[str, bytes]:
        """Score one request; returns the answer's media type and body. Raises RequestRefused for a bad request."""
        media_type = scoring_response.accepted(accept)
        table = scoring_request.read_table(body, scoring_request.content_type(content_type), self.signature)
        rows = enforce(table, self.signature)
        try:
            predictions = self._predict(self._matrix(rows) if self._takes_matrix else self._frame(rows))
        except ValueError as error:  # scikit-learn's own word for input that it cannot take
            raise RequestRefused(400, f"The model cannot score these rows: {error}") from error
        return media_type, scoring_response.render(predictions, media_type)

    def rehearse(self, example: bytes | None) -> float:
        """Score the model's own example (JSON), twice, and return the seconds of the second time; 0 without an example.

        Raises StartRefused when the model cannot score it: it would not score anything else either.
        """
        if example is None:
            return 0.0
        try:
            self.answer(example, b"application/json", None)
            started = time.perf_counter()
            self.answer(example, b"application/json", None)
        except RequestRefused as error:
            raise StartRefused(f"The model cannot score the example it was logged with: {error.message}") from error
        return time.perf_counter() - started

    def _matrix(self, rows: np.ndarray | dict[str | int, np.ndarray]) -> np.ndarray:
        return np.column_stack(list(rows.values())) if isinstance(rows, dict) else rows

    def _frame(self, rows: np.ndarray | dict[str | int, np.ndarray]) -> Any:
        import pandas as pd  # 0.2 s that a model which takes a matrix never needs

        return pd.DataFrame(rows, columns=None if self._names is None or isinstance(rows, dict) else list(self._names))


def _open(model: LoggedModel) -> Any:
    foreign = [name for name in model.trusted_types if name.split(".")[0] not in TRUSTED_PACKAGES]
    if foreign:
        raise StartRefused(
            f"The model asks to trust types that this endpoint does not: {', '.join(foreign)}. "
            f"It trusts types of {', '.join(sorted(TRUSTED_PACKAGES))} (TRUSTED_PACKAGES in predictor.py)."
        )
    try:
        return skops.io.load(model.model_file, trusted=list(model.trusted_types))
    except UntrustedTypesFoundException as error:
        raise StartRefused(f"The model holds types that were not listed when it was logged: {error}") from error
    except Exception as error:  # a damaged file fails in as many ways as there are types in it
        raise StartRefused(f"{model.model_file} cannot be opened: {type(error).__name__}: {error}") from error


def _forget_names(estimator: Any, names: tuple[str, ...] | None) -> bool:
    """True when the estimator may be given rows as a bare matrix, which is several times faster than a data frame.

    That is so for an estimator that was fitted without names, and for a single estimator (no pipeline, no composite)
    that was fitted with exactly the signature's: it would only compare the names, which the signature has done by then.
    """
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is None:
        return True
    if names is None or list(fitted) != list(names) or any(True for _ in _inner_estimators(estimator)):
        return False
    if "feature_names_in_" not in vars(estimator):
        return False
    del estimator.feature_names_in_
    return True


def _inner_estimators(estimator: Any) -> Iterator[BaseEstimator]:
    for value in estimator.get_params(deep=False).values():
        candidates = (
            [item for pair in value if isinstance(pair, tuple) for item in pair] if isinstance(value, list) else [value]
        )
        yield from (candidate for candidate in candidates if isinstance(candidate, BaseEstimator))


def silence_name_warnings() -> None:
    """scikit-learn warns a row's names were checked by nobody; here the signature has checked them."""
    warnings.filterwarnings("ignore", message="X (does not have valid|has) feature names")
