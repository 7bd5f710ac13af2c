"""The database of a home, whichever it is: dumped into a backup, filled from one, and up while that happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow_server.credentials import Credentials
from mlflow_server.database.url import checked
from mlflow_server.home import Home
from mlflow_server.settings import Settings
from mlflow_server.stack.postgres import Postgres
from mlflow_server.upkeep import mysql, postgresql, sqlite
from mlflow_server.upkeep.archive import Archive, Draft

SQLITE, STACK, POSTGRESQL, MYSQL = "sqlite", "stack", "postgresql", "mysql"


@dataclass(frozen=True)
class Database:
    """A database that answers: `store` says of which kind, as `Source.store`; `url` is SQLAlchemy's, with password."""

    store: str
    url: str

    @property
    def path(self) -> Path:
        """The file of an SQLite database."""
        from sqlalchemy import make_url

        return Path(make_url(self.url).database or "")

    def dump(self, draft: Draft) -> None:
        """Write it into a backup."""
        if self.store == SQLITE:
            sqlite.dump(self.path, sqlite.MEMBER, draft)
        elif self.store == STACK:
            postgresql.dump_server(self.url, draft)
        elif self.store == POSTGRESQL:
            postgresql.dump(self.url, draft)
        else:
            mysql.dump(self.url, draft)

    def load(self, archive: Archive) -> None:
        """Fill it, being empty, from a backup of its kind."""
        if self.store == SQLITE:
            sqlite.load(archive, self.path)
        elif self.store == STACK:
            postgresql.load_server(archive, self.url)
        elif self.store == POSTGRESQL:
            postgresql.load(archive, self.url)
        else:
            mysql.load(archive, self.url)

    def has_tables(self) -> bool:
        """Whether anything is in it."""
        if self.store == SQLITE:
            return sqlite.has_tables(self.path)
        return mysql.has_tables(self.url) if self.store == MYSQL else postgresql.has_tables(self.url)


def named(url: str) -> Database:
    """The database of an SQLAlchemy URL; raises `ServerError` where it is none, or of a kind that MLflow cannot use."""
    kinds = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MYSQL}
    return Database(kinds[checked(url).get_backend_name()], url)


@contextmanager
def database_of(home: Home, settings: Settings) -> Iterator[Database]:
    """The database of a home, started for the while where it is its own and down, in the version that made it."""
    if not settings.postgres:
        yield named(settings.backend_store_uri or home.database_uri)
        return
    credentials, _ = Credentials.kept_in(home.folder)
    postgres = Postgres(home.folder / "postgres", credentials.database_password)
    running = postgres.service.running()
    started = running or postgres.start(older=True)
    try:
        yield Database(STACK, postgres.url(started.port))
    finally:
        if running is None and home.running() is None:
            postgres.stop()
