"""A connection to a database, or the sentence that says why there is none; and being the only one who prepares it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlflow_server.database.url import OPTION, place
from mlflow_server.errors import ServerError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

# A database that scales to zero needs half a minute to come back.
_CONNECT_SECONDS = 40
_LOCK_SECONDS = 300
_LOCK = "mlflow-server prepares this database"
_LOGIN_REFUSED = ("password authentication failed", "no password supplied", "(1045,")
_LOGIN_UNKNOWN = ("role ", "user ")
_NO_DATABASE = ("does not exist", "(1049,")
_NO_RIGHT = ("permission denied", "(1044,")
_NO_TLS = ("no encryption", "(3159,", "SSL")
_NO_SQLITE = ("file is not a database", "malformed")


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """A connection made as MLflow makes its own, each statement of it a transaction; loads MLflow.

    Raises `ServerError` where the database does not answer, refuses the login or does not exist.
    """
    # The driver's own limit is the system's, which is minutes.
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(_CONNECT_SECONDS))
    from mlflow.store.db.utils import create_sqlalchemy_engine
    from sqlalchemy import inspect
    from sqlalchemy.exc import DBAPIError

    engine = create_sqlalchemy_engine(url.render_as_string(hide_password=False))
    try:
        try:
            connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            inspect(connection).get_table_names()
        except DBAPIError as error:
            raise _refused(url, str(error.orig)) from error
        with connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Prepare the database while no other server does: two tasks that start at once would make each table twice."""
    from sqlalchemy import text

    kind = connection.dialect.name
    if kind == "postgresql":
        connection.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": _LOCK})
        yield
        connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), {"name": _LOCK})
    elif kind == "mysql":
        if not connection.scalar(
            text("SELECT GET_LOCK(SHA1(CONCAT(:name, DATABASE())), :seconds)"),
            {"name": _LOCK, "seconds": _LOCK_SECONDS},
        ):
            raise ServerError(
                f"Another server has been preparing the database for {_LOCK_SECONDS} seconds: see what it says, "
                "end it, and start this one again."
            )
        yield
        connection.execute(text("SELECT RELEASE_LOCK(SHA1(CONCAT(:name, DATABASE())))"), {"name": _LOCK})
    else:
        yield


def _refused(url: URL, said: str) -> ServerError:
    where, reason = place(url), _first_line(said)
    if url.get_backend_name() == "sqlite":
        if any(words in said for words in _NO_SQLITE):
            return ServerError(
                f"The database {where} is none of SQLite's ({reason}): restore a backup of it, or name another."
            )
        return ServerError(
            f"The database {where} cannot be opened ({reason}): see that its folder exists and can be written to."
        )
    if any(words in said for words in _LOGIN_REFUSED):
        return ServerError(
            f"The database at {where} refused the login of {url.username!r}: "
            f"correct the user or the password in {OPTION}."
        )
    if any(words in said for words in _NO_RIGHT):
        return ServerError(
            f"{url.username!r} may not use the database {url.database!r} at {where}: "
            "grant it all privileges on it, or name another."
        )
    if any(words in said for words in _NO_DATABASE):
        if any(f'{words}"' in said for words in _LOGIN_UNKNOWN):
            return ServerError(f"The database at {where} knows no user {url.username!r}: correct it in {OPTION}.")
        return ServerError(
            f"There is no database {url.database!r} at {where}: create it (CREATE DATABASE {url.database}), "
            f"or name one that is there in {OPTION}."
        )
    if any(words in said for words in _NO_TLS):
        return ServerError(
            f"The database at {where} and this server did not agree on TLS ({reason}): "
            f"add what it asks for to {OPTION}, as ?sslmode=verify-full&sslrootcert=FILE or ?ssl_ca=FILE."
        )
    return ServerError(
        f"The database at {where} does not answer ({reason}): start it, or correct host and port in {OPTION}."
    )


def _first_line(said: str) -> str:
    return next((line.strip() for line in said.splitlines() if line.strip()), "no reason given")
