"""The model, opened and ready to answer: bytes of a scoring request in, bytes of predictions out."""

import time

from enforcement import enforce
from logged_model import LoggedModel
from opened_estimator import open_estimator
from prediction import prediction
from refusals import RequestRefused, StartRefused
from scoring_request import content_type_of, read_table
from scoring_response import media_type_for, render


class Predictor:
    """One opened model. `answer` may be called from several threads."""

    def __init__(self, model: LoggedModel) -> None:
        """Open the model. Raises StartRefused when it cannot be opened safely, or is not what it was logged as."""
        self._signature = model.signature
        self._predict = prediction(open_estimator(model), model.predict_method, model.signature)

    def answer(self, body: bytes, content_type: bytes | None, accept: bytes | None) -> tuple[str, bytes]:
        """Score one request; returns the answer's media type and body. Raises RequestRefused for a bad request."""
        media_type = media_type_for(accept)
        table = read_table(body, content_type_of(content_type), self._signature)
        rows = enforce(table, self._signature)
        try:
            predictions = self._predict(rows)
        except ValueError as error:  # scikit-learn's own word for input that it cannot take
            raise RequestRefused(400, f"The model cannot score these rows: {error}") from error
        return media_type, render(predictions, media_type)

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
