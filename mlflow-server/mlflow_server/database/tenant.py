"""A database beside others on one server, with a role of the same name that alone may open it.

https://www.postgresql.org/docs/current/ddl-priv.html, https://dev.mysql.com/doc/refman/8.4/en/grant.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlflow_server.errors import ServerError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_GENERATED = re.compile(r"[A-Za-z0-9_-]+")


def make_database(url: URL, name: str, password: str) -> None:
    """Make, where there is none, a database and the role of the same name that alone may open it, beside that of `url`.

    Raises `ServerError` where the password holds more than letters, digits, - and _, or `url` may make no databases.
    """
    if not _GENERATED.fullmatch(password):
        raise ServerError(f"The password of {name} was not generated: it may hold letters, digits, - and _.")
    with _administering(url) as connection:
        for statement in _making(url.get_backend_name(), name, password, connection):
            connection.exec_driver_sql(statement)


def drop_database(url: URL, name: str) -> None:
    """Drop a database beside that of `url`, whoever is connected to it, and the role of the same name."""
    with _administering(url) as connection:
        for statement in _dropping(url.get_backend_name(), name):
            connection.exec_driver_sql(statement)


@contextmanager
def _administering(url: URL) -> Iterator[Connection]:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        # Of the driver's own words the first line only: others repeat the statement, and it holds a password.
        said = str(getattr(error, "orig", error)).splitlines()[0]
        raise ServerError(
            f"The database at {url.host} lets {url.username} make no database for a project ({said}): "
            "let it make databases and roles, or name one that may with --backend-store-uri."
        ) from None
    finally:
        engine.dispose()


def _making(backend: str, name: str, password: str, connection: Any) -> Iterator[str]:
    """SQL that makes a database which its own role, and no other project's, can open.

    https://www.postgresql.org/docs/current/ddl-priv.html: whoever has an account may connect to every database, until
    that is revoked.
    """
    if backend == "mysql":
        yield f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4"
        yield f"CREATE USER IF NOT EXISTS '{name}'@'%%' IDENTIFIED BY '{password}'"
        yield f"ALTER USER '{name}'@'%%' IDENTIFIED BY '{password}'"
        yield f"GRANT ALL PRIVILEGES ON `{name}`.* TO '{name}'@'%%'"
        return
    known = connection.exec_driver_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'").first()  # noqa: S608
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
    yield f"{'ALTER' if known else 'CREATE'} ROLE \"{name}\" {rights} PASSWORD '{password}'"
    if connection.exec_driver_sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'").first() is None:  # noqa: S608
        yield f'GRANT "{name}" TO CURRENT_USER'
        yield f'CREATE DATABASE "{name}" OWNER "{name}"'
    for database in (name, connection.engine.url.database):
        yield f'REVOKE CONNECT, TEMPORARY ON DATABASE "{database}" FROM PUBLIC'


def _dropping(backend: str, name: str) -> Iterator[str]:
    if backend == "mysql":
        yield f"DROP DATABASE IF EXISTS `{name}`"
        yield f"DROP USER IF EXISTS '{name}'@'%%'"
    else:
        yield f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
        yield f'DROP ROLE IF EXISTS "{name}"'
