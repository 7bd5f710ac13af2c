"""Scoring requests: every form in which MLflow's clients and SageMaker's send rows, read into one table.

MLflow's forms: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#json-input"""

import contextlib
import csv
import io
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
from refusals import RequestRefused, shown
from signature import NUMBERS, Signature

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CONTENT_TYPES = ("application/json", "text/csv")


@dataclass(frozen=True)
class Table:
    """Rows as the client sent them: `names` when it named them, and cells that are JSON values or, from CSV, text."""

    names: tuple[str, ...] | None
    rows: list[list[Any]]
    text: bool = False


@dataclass(frozen=True)
class ContentType:
    """The media type of a request's body, and the `header` parameter of text/csv (RFC 4180) if it was given."""

    media_type: str
    header: str | None = None


@lru_cache(maxsize=128)
def content_type_of(header: bytes | None) -> ContentType:
    """Read a Content-Type header. Raises RequestRefused (415) for a type or character set that is not served."""
    served = f"send {' or '.join(CONTENT_TYPES)}"
    if not header:
        raise RequestRefused(415, f"The request has no Content-Type: {served}.")
    media_type, *parameters = (part.strip().lower() for part in header.decode("latin-1").split(";"))
    if media_type not in CONTENT_TYPES:
        raise RequestRefused(415, f"Content-Type {shown(media_type)} is not served: {served}.")
    values = {name.strip(): value.strip(' "') for name, _, value in (part.partition("=") for part in parameters)}
    if values.get("charset", "utf-8") not in ("utf-8", "utf8", "us-ascii"):
        raise RequestRefused(415, f"Character set {shown(values['charset'])} is not served: send UTF-8.")
    return ContentType(media_type, values.get("header"))


def read_table(body: bytes, kind: ContentType, signature: Signature) -> Table:
    """Read the rows of a request's body; the signature tells a CSV header from a first row.

    Raises RequestRefused (400) when there are none, or they are in none of the forms.
    """
    if not body.strip():
        raise RequestRefused(400, "The body is empty: send at least one row.")
    table = _read_csv(body, kind.header, signature) if kind.media_type == "text/csv" else _read_json(body)
    if not table.rows:
        raise RequestRefused(400, "The request has no rows: send at least one.")
    return table


def _read_json(body: bytes) -> Table:
    document = _parse_json(body)
    if isinstance(document, list):
        return _from_list(document, "a list")
    if not isinstance(document, dict):
        raise RequestRefused(400, f"The body is {shown(document)}: send a list of rows, or an object with {_forms()}.")
    if document.get("params"):
        raise RequestRefused(400, "The model takes no params: leave `params` out.")
    forms = [key for key in document if key != "params"]
    if len(forms) != 1 or forms[0] not in FORMS:
        found = ", ".join(shown(key) for key in forms[:10]) or "nothing"
        raise RequestRefused(400, f"The body must be a list of rows, or an object with {_forms()}; found {found}.")
    (form,) = forms
    content = document[form]
    if form == "dataframe_split":
        return _from_split(content)
    if form == "inputs" and isinstance(content, dict):
        return _from_columns(content)
    if not isinstance(content, list):
        raise RequestRefused(400, f"`{form}` must be a list of rows; found {shown(content)}.")
    return _from_list(content, f"`{form}`")


def _parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Python's json, and so MLflow's clients, write NaN for a missing value, which JSON does not have.
        if b"NaN" in body:
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(body, parse_constant=_constant, parse_float=_finite)
        raise RequestRefused(400, f"The body is not JSON: {error}.") from error


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _forms() -> str:
    return f"one of {', '.join(FORMS)}"


def _from_split(content: Any) -> Table:
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("data"), list)
        or set(content) - {"columns", "index", "data"}
    ):
        raise RequestRefused(
            400,
            "`dataframe_split` must be an object with `data` and, if you like, `columns` and `index`; "
            f"found {shown(content)}.",
        )
    names = content.get("columns")
    if names is not None and (not isinstance(names, list) or not all(isinstance(name, str) for name in names)):
        raise RequestRefused(400, f"`columns` must be a list of names; found {shown(names)}.")
    index = content.get("index")
    if index is not None and (not isinstance(index, list) or len(index) != len(content["data"])):
        raise RequestRefused(400, "`index` must be a list with one entry a row of `data`.")
    _refuse_other_than(list, content["data"], "`data`", "a list of values")
    return Table(None if names is None else tuple(names), content["data"])


def _from_columns(columns: dict[str, Any]) -> Table:
    # As in MLflow, an object of single values is one row.
    values = [column if isinstance(column, list) else [column] for column in columns.values()]
    if len({len(column) for column in values}) > 1:
        lengths = ", ".join(f"{name}: {len(column)}" for name, column in zip(columns, values, strict=True))
        raise RequestRefused(400, f"The columns in `inputs` are of different lengths ({lengths[:300]}).")
    return Table(tuple(columns), [list(row) for row in zip(*values, strict=True)])


def _from_list(rows: list[Any], what: str) -> Table:
    first = rows[0] if rows else []
    if isinstance(first, dict):
        _refuse_other_than(dict, rows, what, "an object, like the first")
        names = tuple(dict.fromkeys(chain.from_iterable(rows)))
        return Table(names, [[row.get(name) for name in names] for row in rows])
    if not isinstance(first, list):  # the values of a model's only column
        return Table(None, [[value] for value in rows])
    _refuse_other_than(list, rows, what, "a list of values, like the first")
    return Table(None, rows)


def _refuse_other_than(expected: type, rows: list[Any], what: str, wanted: str) -> None:
    if set(map(type, rows)) <= {expected}:
        return
    at, row = next((at, row) for at, row in enumerate(rows) if type(row) is not expected)
    raise RequestRefused(400, f"Row {at} of {what} must be {wanted}; found {shown(row)}.")


def _read_csv(body: bytes, header: str | None, signature: Signature) -> Table:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestRefused(400, f"The body is not UTF-8: {error.reason} at byte {error.start}.") from error
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise RequestRefused(400, f"The body is not CSV: {error}.") from error
    if not rows:
        raise RequestRefused(400, "The body has no rows: send at least one.")
    first = [cell.strip() for cell in rows[0]]
    if header == "present" or (header != "absent" and _is_header(first, signature)):
        return Table(tuple(first), rows[1:], text=True)
    return Table(None, rows, text=True)


def _is_header(first: list[str], signature: Signature) -> bool:
    if signature.names is not None:
        return not set(first).isdisjoint(signature.names)
    takes_numbers = any(column.type in NUMBERS for column in signature.columns)
    return takes_numbers and not any(_is_number(cell) for cell in first)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
