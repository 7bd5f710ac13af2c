"""What a database's error says that may be told: the reason, without the statement, its values and SQLAlchemy's link.

The values are what was to be stored, hashes of passwords among them; a statement tells nothing to who sent a request.
"""

from __future__ import annotations

import re

# PostgreSQL's DETAIL may repeat the whole row. https://docs.sqlalchemy.org/en/20/errors.html (the link)
_STATEMENT = re.compile(r"\[SQL: |\[SQL parameters hidden|\[parameters: ")
_REST = re.compile(rf"\s*(\bDETAIL: |{_STATEMENT.pattern}|\(Background on this error at: ).*", re.DOTALL)


def of_sqlalchemy(message: str) -> bool:
    """Whether SQLAlchemy wrote a message, or part of it."""
    return "(Background on this error at: " in message


def has_statement(message: str) -> bool:
    """Whether a statement had reached the database; without one the connection had failed."""
    return bool(_STATEMENT.search(message))


def reason(message: str) -> str:
    """A message up to where the statement begins; any other message as it is."""
    return _REST.sub("", message) if of_sqlalchemy(message) or has_statement(message) else message
