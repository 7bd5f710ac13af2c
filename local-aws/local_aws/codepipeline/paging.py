"""Pages of what CodePipeline lists: `maxResults` at once, and a token for those that follow."""

from __future__ import annotations

from typing import Any

from local_aws.errors import AwsError


def page(key: str, rows: list[dict[str, Any]], request: dict[str, Any], most: int) -> dict[str, Any]:
    """The asked page of rows under `key`, with `nextToken` where more follow.

    Raises `AwsError` (InvalidNextTokenException) for a token that no page has ended with.
    """
    token = request.get("nextToken", "0")
    if not token.isdecimal() or len(token) > 9:
        raise AwsError("InvalidNextTokenException", f"The next token '{token}' was not returned by a previous call")
    start = int(token)
    end = start + request.get("maxResults", most)
    return {key: rows[start:end], **({"nextToken": str(end)} if end < len(rows) else {})}
