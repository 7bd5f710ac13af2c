"""The URL of a database: which kinds there are and which drivers, looked at before anything is connected to.

https://docs.sqlalchemy.org/en/21/core/engines.html#database-urls
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow_server.errors import ServerError

if TYPE_CHECKING:
    from sqlalchemy import URL

OPTION = "--backend-store-uri (MLFLOW_BACKEND_STORE_URI)"
_FORMS = {
    "postgresql": "postgresql+psycopg://USER:PASSWORD@HOST:5432/DATABASE",
    "mysql": "mysql+pymysql://USER:PASSWORD@HOST:3306/DATABASE",
    "sqlite": "sqlite:////folder/mlflow.db",
}
_MEANT = {"postgres": "postgresql", "mariadb": "mysql"}


def checked(uri: str) -> URL:
    """The URL that `uri` is; raises `ServerError` where it is none, or of a database that cannot be used from here."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        # What cannot be read may hold a password.
        shown = "what was given" if "@" in uri else f"{uri!r}"
        raise ServerError(
            f"{OPTION} takes the URL of a database, and {shown} is none: write it as {_FORMS['postgresql']}, "
            f"{_FORMS['mysql']} or {_FORMS['sqlite']}, with other characters than letters and digits in a password "
            "percent-encoded."
        ) from None
    kind = url.get_backend_name()
    if kind not in _FORMS:
        meant = (
            f"it is written as {_FORMS[_MEANT[kind]]}" if kind in _MEANT else f"write {' or '.join(_FORMS.values())}"
        )
        raise ServerError(f"{shown_as(url)} names a kind of database, {kind!r}, that MLflow does not know: {meant}.")
    _check_driver(url)
    if not url.database or url.database == ":memory:":
        raise ServerError(f"{shown_as(url)} names no database that lasts: write it as {_FORMS[kind]}.")
    return url


def shown_as(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def place(url: URL) -> str:
    """Where the database is, as a person says it: host and port, or the file."""
    if url.host is None:
        return url.database or ""
    return f"{url.host}:{url.port or {'postgresql': 5432, 'mysql': 3306}[url.get_backend_name()]}"


def _check_driver(url: URL) -> None:
    from sqlalchemy.exc import NoSuchModuleError

    written = f"write it as {_FORMS[url.get_backend_name()]}, whose driver is here"
    try:
        url.get_dialect().import_dbapi()
    except NoSuchModuleError:
        raise ServerError(f"{shown_as(url)} names a driver that SQLAlchemy does not know: {written}.") from None
    except ImportError as error:
        raise ServerError(
            f"{shown_as(url)} needs the Python package {error.name!r}, which is not installed: {written}."
        ) from None
