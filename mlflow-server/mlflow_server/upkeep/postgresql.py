"""A PostgreSQL database as `pg_dump` writes it and `pg_restore` reads it; and all databases of the server of one's own.

https://www.postgresql.org/docs/current/app-pgdump.html
"""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg import sql

from mlflow_server.errors import ServerError
from mlflow_server.stack.postgres import OWNER
from mlflow_server.stack.programs import program
from mlflow_server.upkeep.archive import Archive, Draft, Sink
from mlflow_server.upkeep.pipe import run_from, run_into

MEMBER = "database/mlflow.dump"
_ROLES = "database/roles.sql"


def dump(url: str, draft: Draft) -> None:
    """One database, as it is at this moment; raises `ServerError` with what `pg_dump` said."""
    with draft.member(MEMBER) as sink:
        _to(sink, [program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"], url)


def load(archive: Archive, url: str) -> None:
    """Fill an empty database, or leave it empty; raises `ServerError` with what `pg_restore` said."""
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    _from(archive.chunks(MEMBER), [program("pg_restore"), *options], url)


def dump_server(url: str, draft: Draft) -> None:
    """Every database of a server, with roles and who may connect; `url` names one of them as its superuser."""
    with draft.member(_ROLES, pressed=True) as sink:
        _to(sink, [program("pg_dumpall"), "--roles-only"], url)
    with psycopg.connect(conninfo(url)) as connection:
        known = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'")
        names = sorted(str(name) for (name,) in known)
    for name in names:
        with draft.member(f"database/{name}.dump") as sink:
            _to(sink, [program("pg_dump"), "--format=custom", "--create"], _database(url, name))


def load_server(archive: Archive, url: str) -> None:
    """Make the roles and databases of a backup on a server that has none but its own, empty."""
    # The superuser is there already; its password is set as it was by the line that follows its own.
    roles = b"".join(archive.chunks(_ROLES)).replace(f"CREATE ROLE {OWNER};\n".encode(), b"")
    maintenance = _database(url, "postgres")
    _from([roles], [program("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"], maintenance)
    with psycopg.connect(conninfo(maintenance), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(OWNER)))
    for name in archive.names("database"):
        if name != _ROLES:
            _from(archive.chunks(name), [program("pg_restore"), "--exit-on-error", "--create"], maintenance)


def has_tables(url: str) -> bool:
    """Whether anything is in a database; raises `ServerError` where it does not answer."""
    try:
        with psycopg.connect(conninfo(url), connect_timeout=10) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LIMIT 1"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise ServerError(f"The database cannot be reached: {error}") from error
    return found is not None


def conninfo(url: str) -> str:
    """What libpq is told for an SQLAlchemy URL, password included."""
    from sqlalchemy import make_url

    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _database(url: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """For a command line, which others can read; the password goes by the environment."""
    from sqlalchemy import URL, make_url

    told = make_url(url)
    bare = URL.create("postgresql", told.username, None, told.host, told.port, told.database, told.query)
    return bare.render_as_string(), {"PGPASSWORD": str(told.password)} if told.password else {}


def _to(sink: Sink, command: list[str], url: str) -> None:
    target, secret = _without_password(url)
    run_into(sink, [*command, f"--dbname={target}"], secret)


def _from(chunks: Iterable[bytes], command: list[str], url: str) -> None:
    target, secret = _without_password(url)
    run_from(chunks, [*command, f"--dbname={target}"], secret)
