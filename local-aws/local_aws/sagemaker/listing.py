"""What all List operations of SageMaker have in common: filters, order and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from local_aws.errors import validation_error

Row = dict[str, Any]
_PAGE = 100
_TOKEN = re.compile("[0-9]{1,18}")


def page(
    rows: Iterable[Row],
    request: dict[str, Any],
    *,
    name_key: str,
    status_key: str | None = None,
    default_sort: str = "CreationTime",
    default_order: str = "Descending",
) -> tuple[list[Row], str | None]:
    """The rows that a List request asks for, and the token of the next page or None.

    Understands NameContains, StatusEquals, CreationTimeAfter / Before, LastModifiedTimeAfter / Before, SortBy,
    SortOrder, MaxResults and NextToken, as described for instance in
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTrainingJobs.html
    Raises `AwsError` (ValidationException) for a token that no page has ended with.
    """
    found = [row for row in rows if _asked_for(row, request, name_key, status_key)]
    sort = request.get("SortBy", default_sort)
    key = {"Name": name_key, "Status": status_key or name_key}.get(sort, sort)
    found.sort(key=lambda row: _sortable(row.get(key)), reverse=request.get("SortOrder", default_order) == "Descending")
    start = _start(request.get("NextToken", "0"))
    end = start + request.get("MaxResults", _PAGE)
    return found[start:end], str(end) if end < len(found) else None


def answer(key: str, rows: list[Row], token: str | None) -> dict[str, Any]:
    """A List response: the summaries under their key, and NextToken where there is more."""
    return {key: rows, **({"NextToken": token} if token else {})}


def _start(token: str) -> int:
    if _TOKEN.fullmatch(token) is None:
        raise validation_error(f"Invalid pagination token: {token!r}")
    return int(token)


def _asked_for(row: Row, request: dict[str, Any], name_key: str, status_key: str | None) -> bool:
    if request.get("NameContains", "") not in row[name_key]:
        return False
    if status_key and "StatusEquals" in request and row[status_key] != request["StatusEquals"]:
        return False
    for field in ("CreationTime", "LastModifiedTime"):
        at: datetime | None = row.get(field)
        after, before = request.get(f"{field}After"), request.get(f"{field}Before")
        if at is not None and ((after and at < after) or (before and at > before)):
            return False
    return True


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)
