"""How a home's server and its stores are: what serves, on which stores, and whether each of them is there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_server.home import Home
from mlflow_server.settings import Settings
from mlflow_server.stack.service import Service, listens

_SECONDS = 2
_PORTS = {"postgresql": 5432, "mysql": 3306}


@dataclass(frozen=True)
class Store:
    """A database or artifact store: `place` never holds a password; `there` is None where nobody can say from here."""

    purpose: str
    place: str
    there: bool | None

    def __str__(self) -> str:
        return f"{self.purpose}: {self.place}{' (down)' if self.there is False else ''}"


def services(home: Home, settings: Settings) -> dict[str, Service]:
    """The programs that `up` starts as stores of a home, by what the person calls them."""
    from mlflow_server.stack import objects, postgres

    if settings.shared_from:
        return services(home.host, Settings.kept_in(home.host.folder))
    if not settings.postgres:
        return {}
    started = {"database": postgres.service(home.folder / "postgres")}
    if settings.artifacts_destination is None:
        started["objects"] = objects.service(home.folder / "objects")
    return started


def stores(home: Home, settings: Settings) -> Iterator[Store]:
    """The database and the artifact store of a home."""
    if settings.shared_from:
        yield from _of_project(home)
        return
    started = services(home, settings)
    if settings.backend_store_uri:
        yield _database(settings.backend_store_uri)
    elif "database" in started:
        yield _started("database", "PostgreSQL", started["database"])
    else:
        yield _file("database", "SQLite", Path(home.database_uri.removeprefix("sqlite:///")))
    if settings.artifacts_destination:
        yield _artifacts(settings.artifacts_destination)
    elif "objects" in started:
        yield _started("artifacts", "S3 (rclone)", started["objects"])
    else:
        yield _file("artifacts", "folder", home.artifacts)


def _of_project(project: Home) -> Iterator[Store]:
    """Its own database and prefix, which are there where those of its host are."""
    from mlflow_server.isolated import artifacts_root, database_name

    database, artifacts = stores(project.host, Settings.kept_in(project.host.folder))
    if database.place.startswith("SQLite, "):
        yield _file("database", "SQLite", Path(project.database_uri.removeprefix("sqlite:///")))
    else:
        yield replace(database, place=f"{database_name(project)} in {database.place}")
    yield replace(artifacts, place=f"{artifacts_root(project)} in {artifacts.place}")


def _started(purpose: str, kind: str, service: Service) -> Store:
    running = service.running()
    if running is None:
        return Store(purpose, f"{kind} in {service.folder}", False)
    place = f"{kind} on 127.0.0.1:{running.port} (process {running.pid}) in {service.folder}"
    return Store(purpose, place, listens(running.port))


def _file(purpose: str, kind: str, path: Path) -> Store:
    return Store(purpose, f"{kind}, {path}", path.exists())


def _database(uri: str) -> Store:
    parts = urlsplit(uri)
    kind, name = parts.scheme.partition("+")[0], unquote(parts.path.lstrip("/"))
    if kind == "sqlite":
        return _file("database", "SQLite", Path(unquote(parts.path.removeprefix("/"))))
    host, port = parts.hostname or "localhost", parts.port or _PORTS.get(kind, 0)
    return Store("database", f"{name} at {host}:{port} ({kind})", _answers(host, port))


def _artifacts(uri: str) -> Store:
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return _file("artifacts", "folder", Path(unquote(parts.path)))
    return Store("artifacts", uri, None)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError:
        return False
    return True
