"""The model's signature: which columns it takes, of which type, in which order.

Read from the JSON that MLflow keeps in MLmodel: https://mlflow.org/docs/latest/ml/model/signatures/"""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from refusals import StartRefused, shown

# MLflow's column types that a scikit-learn model can be fed from JSON or CSV, and the array type of each.
COLUMN_DTYPES = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "object",
}
NUMBERS = ("integer", "long", "float", "double")


@dataclass(frozen=True)
class Column:
    """One column of the signature; `required` is False for a column that may be left out or be null."""

    name: str | None
    type: str
    required: bool


@dataclass(frozen=True)
class Signature:
    """The columns the model takes, in the order it takes them."""

    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names, or None when the model was logged with unnamed columns."""
        names = tuple(column.name for column in self.columns if column.name is not None)
        return names or None

    @cached_property
    def is_numeric(self) -> bool:
        """Whether every column is one of numbers, so that the rows can be a matrix."""
        return all(column.type in NUMBERS for column in self.columns)

    @cached_property
    def only_dtype(self) -> str | None:
        """The array type of all columns when they are of one type of number and none may be missing, otherwise None."""
        types = {column.type for column in self.columns}
        same = self.is_numeric and len(types) == 1 and all(column.required for column in self.columns)
        return COLUMN_DTYPES[types.pop()] if same else None

    def describe(self) -> str:
        """The columns as a message shows them: `4 columns: sepal length (cm), …`."""
        shown_names = "unnamed" if self.names is None else ", ".join(self.names[:20])
        more = "" if self.names is None or len(self.names) <= 20 else f" and {len(self.names) - 20} more"
        return f"{len(self.columns)} column{'s' if len(self.columns) != 1 else ''}: {shown_names}{more}"

    @classmethod
    def from_mlmodel(cls, signature: dict[str, Any] | None) -> Self:
        """Read the `signature` entry of an MLmodel file.

        Takes named or unnamed columns of the types above, and an unnamed tensor of rows (shape `[-1, n]`), which is
        n unnamed columns. Raises StartRefused for anything else.
        """
        if not signature or not signature.get("inputs"):
            raise StartRefused(
                "The model has no signature, so requests cannot be checked: log it with one (infer_signature)."
            )
        specs = json.loads(signature["inputs"])
        if any(spec.get("type") == "tensor" for spec in specs):
            columns = _tensor_columns(specs)
        else:
            columns = tuple(_column(spec) for spec in specs)
        if len({column.name is None for column in columns}) > 1:
            raise StartRefused("The model's signature names some of its columns only: name all of them or none.")
        repeated = [name for name, times in Counter(column.name for column in columns).items() if name and times > 1]
        if repeated:
            raise StartRefused(f"The model's signature names a column twice: {', '.join(repeated)}.")
        return cls(columns)


def _column(spec: dict[str, Any]) -> Column:
    name, kind = spec.get("name"), spec.get("type")
    if kind not in COLUMN_DTYPES:
        raise StartRefused(
            f"Column {name!r} of the model's signature is of type {shown(kind)}; "
            f"this endpoint serves columns of type {', '.join(COLUMN_DTYPES)}."
        )
    return Column(name=name, type=str(kind), required=bool(spec.get("required", True)))


def _tensor_columns(specs: list[dict[str, Any]]) -> tuple[Column, ...]:
    types = {dtype: kind for kind, dtype in COLUMN_DTYPES.items() if kind in NUMBERS}
    spec = specs[0].get("tensor-spec", {})
    dtype, shape = spec.get("dtype"), spec.get("shape", [])
    rows_of_numbers = len(shape) == 2 and shape[0] == -1 and shape[1] > 0 and dtype in types
    if len(specs) != 1 or specs[0].get("name") is not None or not rows_of_numbers:
        raise StartRefused(
            f"The model's signature takes tensors {shown(specs)}; this endpoint serves columns, or one unnamed tensor "
            f"of rows (shape [-1, n]) of {', '.join(types)}: log the model with the signature of a data frame."
        )
    return (Column(name=None, type=types[dtype], required=True),) * shape[1]
