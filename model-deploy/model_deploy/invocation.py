"""Rows from a person: given on the command line or in a CSV file, as they travel to an endpoint."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from model_deploy.errors import DeploymentError


@dataclass(frozen=True)
class Rows:
    """Rows as CSV, and the same split into cells to be shown beside their predictions (a header line among them)."""

    body: bytes
    cells: tuple[tuple[str, ...], ...]

    def of(self, predictions: int) -> tuple[tuple[str, ...], ...]:
        """The rows that the predictions are for: all, or all but the header."""
        return self.cells[-predictions:] if predictions else ()


def rows_from_arguments(rows: tuple[str, ...]) -> Rows:
    """Rows as they were typed: values between commas, one row an argument.

    Raises:
        DeploymentError: there are none, or one is empty.
    """
    if not rows or not all(row.strip() for row in rows):
        raise DeploymentError(
            "There is nothing to predict: give --row 5.1,3.5,1.4,0.2 (as often as you like) or --csv FILE."
        )
    return _rows("\n".join(row.strip() for row in rows) + "\n")


def rows_from_file(path: Path) -> Rows:
    """Rows of a CSV file, with or without a line of column names.

    Raises:
        DeploymentError: the file cannot be read as text, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DeploymentError(f"{path} cannot be read as CSV: {error}.") from error
    if not text.strip():
        raise DeploymentError(f"{path} is empty: write at least one row into it.")
    return _rows(text)


def _rows(text: str) -> Rows:
    cells = tuple(tuple(cell.strip() for cell in row) for row in csv.reader(io.StringIO(text, newline="")) if row)
    return Rows(text.encode(), cells)
