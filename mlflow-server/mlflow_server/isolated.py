"""A project with a server of its own on shared stores: its own database, artifact prefix, process and accounts.

<home>/projects/<name>/   the home of the project's server: its settings, accounts, log and port

Its database belongs to a role that can open no other, and its server opens no artifacts outside its prefix, whoever
asks: the key of the object store is one for all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlflow_server import local
from mlflow_server.credentials import Credentials
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.local import Local
from mlflow_server.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_GENERATED = re.compile(r"[A-Za-z0-9_-]+")
_HELD = {"runs": "runs", "registered_models": "registered models", "traces": "traces"}


@dataclass(frozen=True)
class Tenancy:
    """What a project has of the stores of another home: a database with a role of the same name, and a prefix."""

    database: str
    artifacts: str


def database_name(project: Home) -> str:
    """What the database of a project is called, and the role it belongs to."""
    return "project_" + project.folder.name.replace("-", "_")


def settings(home: Home) -> Settings:
    """What the server of a new project is to be served with, on the stores of `home`."""
    return Settings(auth=True, shared_from=str(home.folder))


def prepare(project: Home, told: Settings) -> Local:
    """Start the stores that a project shares, make what is its own in them, and say what to serve it with.

    Raises `ServerError` where the shared database lets nobody make databases in it.
    """
    shared = Home(Path(told.shared_from or ""))
    with shared.changing():
        host = local.prepare(shared, Settings.kept_in(shared.folder))
    credentials, new = Credentials.kept_in(project.folder)
    tenancy = _tenancy(project, host)
    backend = _own_database(project, host, tenancy, credentials.database_password)
    serving = replace(
        host.serving,
        backend_store_uri=backend,
        artifacts_destination=tenancy.artifacts,
        accounts=credentials.accounts,
        projects=False,
        confined=True,
        workers=told.workers or 1,
        metrics=project.folder / "metrics",
        encryption=credentials.encryption,
    )
    return Local(serving, host.environment, new)


def held(project: Home) -> list[str]:
    """What a project's database holds, as `12 runs`; empty where nobody used it yet."""
    from sqlalchemy import create_engine, inspect, text

    host, tenancy = _host(project)
    uri = _own_database(project, host, tenancy, Credentials.kept_in(project.folder)[0].database_password)
    engine = create_engine(uri)
    try:
        tables = set(inspect(engine).get_table_names())
        with engine.connect() as connection:
            counts = {
                called: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608 - of ours
                for table, called in {**_HELD, "trace_info": "traces"}.items()
                if table in tables
            }
    finally:
        engine.dispose()
    return [f"{count} {called}" for called, count in counts.items() if count]


def remove(project: Home) -> None:
    """Remove a stopped project: its artifacts, its database with its role, and its folder."""
    from sqlalchemy.engine import make_url

    host, tenancy = _host(project)
    _delete_artifacts(tenancy.artifacts, host)
    url = make_url(host.serving.backend_store_uri)
    if url.get_backend_name() != "sqlite":
        with _administering(url) as connection:
            for statement in _dropping(url.get_backend_name(), tenancy.database):
                connection.exec_driver_sql(statement)
    shutil.rmtree(project.folder)


def discard(project: Home) -> None:
    """Undo a making that failed, as far as it came."""
    try:
        remove(project)
    except ServerError:
        # The failure that is being told already: a database that lets nothing be made has nothing to be dropped.
        shutil.rmtree(project.folder)


def _host(project: Home) -> tuple[Local, Tenancy]:
    shared = Home(Path(Settings.kept_in(project.folder).shared_from or ""))
    host = local.prepare(shared, Settings.kept_in(shared.folder))
    return host, _tenancy(project, host)


def _tenancy(project: Home, host: Local) -> Tenancy:
    name = project.folder.name
    root = host.serving.artifacts_destination.rstrip("/")
    # Beside the shared server's own artifacts where they are in a folder of their store, else in it.
    above, _, last = root.rpartition("/")
    root = above if last == "artifacts" else root
    return Tenancy(database_name(project), f"{root}/projects/{name}/artifacts")


def _own_database(project: Home, host: Local, tenancy: Tenancy, password: str) -> str:
    """The SQLAlchemy URL of the project's database, made with its role where there is none."""
    from sqlalchemy.engine import make_url

    url = make_url(host.serving.backend_store_uri)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return project.database_uri
    if not _GENERATED.fullmatch(password):
        raise ServerError(f"The database password in {project.folder}/credentials.json was not generated: restore it.")
    make_database(url, tenancy.database, password)
    own = url.set(username=tenancy.database, password=password, database=tenancy.database)
    return own.render_as_string(hide_password=False)


def make_database(url: URL, name: str, password: str) -> None:
    """Make, where there is none, a database and the role of the same name that alone may open it, beside that of `url`.

    Raises `ServerError` where the password holds more than letters, digits, - and _, or `url` may make no databases.
    """
    if not _GENERATED.fullmatch(password):
        raise ServerError(f"The password of {name} was not generated: it may hold letters, digits, - and _.")
    with _administering(url) as connection:
        for statement in _making(url.get_backend_name(), name, password, connection):
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


def _delete_artifacts(root: str, host: Local) -> None:
    """Delete everything below a prefix, with the credentials of the stores, which boto3 reads from its environment."""
    os.environ.update(host.environment)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if urlsplit(root).scheme != "file" or Path(urlsplit(root).path).exists():
        get_artifact_repository(root).delete_artifacts()
