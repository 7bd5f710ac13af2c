"""What a service says of a thing that is gone already, which is no error to whoever wants it gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError


@contextmanager
def may_be_gone() -> Iterator[None]:
    """Pass over a ClientError whose code says that nothing of that name is there, or no longer attached."""
    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if "NotFound" not in code and "NotAttached" not in code:
            raise
