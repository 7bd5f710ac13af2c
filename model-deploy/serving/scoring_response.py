"""Predictions as the client asked for them: MLflow's JSON object, or CSV with one line a row.

The JSON is that of MLflow's scoring server: `{"predictions": [...]}`."""

import csv
import io
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from refusals import RequestRefused, shown

JSON, CSV = "application/json", "text/csv"
# What an Accept header may name, best first: the first is the answer to `*/*`.
OFFERS = {JSON: (JSON, "application/*", "*/*"), CSV: (CSV, "text/*", "*/*")}


@lru_cache(maxsize=128)
def media_type_for(header: bytes | None) -> str:
    """The media type to answer with, by RFC 9110's Accept. Raises RequestRefused (406) when it allows neither."""
    if not header or not header.strip():
        return JSON
    weights = dict(_weighted(part) for part in header.decode("latin-1").lower().split(",") if part.strip())
    best, best_weight = None, 0.0
    for media_type, ranges in OFFERS.items():
        # The most specific range that names the type decides about it.
        weight = next((weights[name] for name in ranges if name in weights), 0.0)
        if weight > best_weight:
            best, best_weight = media_type, weight
    if best is None:
        raise RequestRefused(
            406, f"Accept {shown(header.decode('latin-1'))}: this endpoint answers in {JSON} or {CSV}."
        )
    return best


def _weighted(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_range, float(value)
            except ValueError:
                return media_range, 0.0
    return media_range, 1.0


def render(predictions: Any, media_type: str) -> bytes:
    """Predictions (an array of one or two dimensions, or a list of such) as `media_type`; labels stay what they are."""
    if isinstance(predictions, list):  # predict_proba of a model with several outputs
        predictions = np.stack([np.asarray(one) for one in predictions], axis=1)
    values = predictions.toarray() if hasattr(predictions, "toarray") else np.asarray(predictions)
    if media_type == CSV:
        return _csv(values)
    return orjson.dumps({"predictions": values.tolist()}, option=orjson.OPT_SERIALIZE_NUMPY)


def _csv(values: np.ndarray) -> bytes:
    lines = io.StringIO(newline="")
    rows = values.reshape(len(values), -1).tolist()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue().encode()
