"""MLflow's accounts in MySQL and MariaDB, where the name of a foreign key is one for the whole database.

MLflow's first migration of accounts names those of two tables alike, so there it fails on an empty database.
https://github.com/mlflow/mlflow/issues/10964
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NAMED_TWICE = "CONSTRAINT fk_user_id FOREIGN KEY"


@contextmanager
def named_by_the_database() -> Iterator[None]:
    """While the context lasts, have MySQL name the foreign keys that MLflow names twice."""
    from sqlalchemy import Engine, event

    def unnamed(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> tuple[str, Any]:
        if connection.dialect.name == "mysql":
            statement = statement.replace(_NAMED_TWICE, "FOREIGN KEY")
        return statement, parameters

    event.listen(Engine, "before_cursor_execute", unnamed, retval=True)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", unnamed)
