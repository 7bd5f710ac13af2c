"""Rows against the signature: matched by name, counted, checked cell by cell, made into columns of the right type.

The rules are those of MLflow (https://mlflow.org/docs/latest/ml/model/signatures/#signature-enforcement), stricter in
one thing: text is not a number, and a missing or infinite value never reaches a model that has not asked for it."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from refusals import RequestRefused, shown
from scoring_request import Table
from signature import COLUMN_DTYPES, NUMBERS, Column, Signature

# JSON's values (as orjson reads them) that go into an array of a dtype as they are. True is no number here.
PLAIN_NUMBERS: dict[str, set[type]] = {
    "float64": {int, float},
    "float32": {int, float},
    "int64": {int},
    "int32": {int},
}
TRUTHS = {"true": True, "false": False}


def enforce(table: Table, signature: Signature) -> np.ndarray | dict[str | int, np.ndarray]:
    """The rows in the signature's order: a matrix when all columns are of one type of number, otherwise a column each.

    Extra named columns are left out, as MLflow does. Raises RequestRefused (400) that names row, column and value.
    """
    rows = _in_signature_order(table, signature)
    dtype = signature.only_dtype
    if dtype is not None and not table.text and set(map(type, chain.from_iterable(rows))) <= PLAIN_NUMBERS[dtype]:
        matrix = _matrix(rows, dtype)
        if matrix is not None:
            return matrix
    return {
        at if column.name is None else column.name: _column(column, at, cells, table.text)
        for at, (column, cells) in enumerate(zip(signature.columns, zip(*rows, strict=True), strict=True))
    }


def _matrix(rows: Sequence[Sequence[Any]], dtype: str) -> np.ndarray | None:
    """The rows as one array, or None when a number does not fit and its cell has to be found."""
    try:
        matrix = np.array(rows, dtype="float64" if dtype == "float32" else dtype)
    except OverflowError:
        return None
    if dtype != "float32":
        return matrix
    with np.errstate(over="ignore"):
        matrix = matrix.astype(dtype)
    return matrix if np.isfinite(matrix).all() else None


def _in_signature_order(table: Table, signature: Signature) -> Sequence[Sequence[Any]]:
    names, wanted = table.names, signature.names
    width = len(signature.columns if names is None else names)
    _refuse_other_widths(table, width, signature)
    if names is None:
        return table.rows
    if names == wanted:
        return table.rows
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise RequestRefused(400, f"A column is named twice: {', '.join(repeated[:10])}.")
    if wanted is None:
        if width != len(signature.columns):
            raise RequestRefused(400, f"The request has {width} columns; the model takes {signature.describe()}.")
        return table.rows
    place = {name: at for at, name in enumerate(names)}
    missing = [str(column.name) for column in signature.columns if column.required and column.name not in place]
    if missing:
        extra = [name for name in names if name not in wanted]
        found = f" Not in the signature: {shown(', '.join(extra))}." if extra else ""
        raise RequestRefused(
            400, f"Columns are missing: {', '.join(missing[:20])}.{found} The model takes {signature.describe()}."
        )
    order = [place.get(name) for name in wanted]
    return [[None if at is None else row[at] for at in order] for row in table.rows]


def _refuse_other_widths(table: Table, width: int, signature: Signature) -> None:
    if set(map(len, table.rows)) == {width}:
        return
    at, row = next((at, row) for at, row in enumerate(table.rows) if len(row) != width)
    found = f"Row {at} has {len(row)} value{'s' if len(row) != 1 else ''}"
    if table.names is not None:
        raise RequestRefused(400, f"{found} for {width} named columns.")
    hint = " (one row alone is a list in a list)" if len(row) == 1 else ""
    raise RequestRefused(400, f"{found}{hint}; the model takes {signature.describe()}.")


def _column(column: Column, place: int, cells: Sequence[Any], text: bool) -> np.ndarray:
    if text:
        cells = [cell if cell is None else _from_text(cell, column.type) for cell in cells]
    checked: list[Any] = []
    missing = False
    for at, cell in enumerate(cells):
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            if column.required:
                raise RequestRefused(400, f"{_where(column, place, at)} is missing a value; the column is required.")
            missing = True
            checked.append(None)
        else:
            checked.append(_checked(cell, column, place, at))
    dtype = COLUMN_DTYPES[column.type]
    if missing and column.type in NUMBERS:
        dtype = "float32" if dtype == "float32" else "float64"  # only floats have a value for a missing one
        return np.array([math.nan if cell is None else cell for cell in checked], dtype=dtype)
    return np.array(checked, dtype="object" if missing else dtype)


def _checked(cell: Any, column: Column, place: int, at: int) -> Any:
    kind = type(cell)
    if column.type in ("boolean", "string"):
        if kind is (bool if column.type == "boolean" else str):
            return cell
    elif kind in (int, float):
        return _fitting(cell, column, place, at)
    raise RequestRefused(400, f"{_where(column, place, at)} is {shown(cell)}, not of type {column.type}.")


def _fitting(number: float, column: Column, place: int, at: int) -> float:
    dtype = np.dtype(COLUMN_DTYPES[column.type])
    if math.isinf(number):
        raise RequestRefused(400, f"{_where(column, place, at)} is infinite.")
    if dtype.kind == "i":
        if number != int(number):
            raise RequestRefused(400, f"{_where(column, place, at)} is {number}, not a whole number.")
        number, limits = int(number), np.iinfo(dtype)
        fits = limits.min <= number <= limits.max
    else:
        fits = abs(number) <= np.finfo(dtype).max
    if not fits:
        raise RequestRefused(400, f"{_where(column, place, at)} is {number}, too large for type {column.type}.")
    return number


def _from_text(cell: str, kind: str) -> Any:
    """A CSV cell as the JSON value it stands for; an empty cell is a missing value."""
    bare = cell.strip()
    if not bare:
        return None
    if kind == "string":
        return cell
    if kind == "boolean":
        return TRUTHS.get(bare.lower(), cell)
    if not bare.isascii() or "_" in bare:  # Python reads these as numbers, no CSV reader does
        return cell
    try:
        return int(bare) if kind in ("integer", "long") else float(bare)
    except ValueError:
        pass
    try:
        return float(bare)
    except ValueError:
        return cell


def _where(column: Column, place: int, at: int) -> str:
    name = place if column.name is None else column.name
    return f"Row {at}, column {shown(name)}"
