"""Who else is at work on a database: a server, on this machine or another, that an upgrade would pull the tables from.

https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from mlflow_server.errors import ServerError
from mlflow_server.upkeep.databases import MYSQL, SQLITE, Database

_POSTGRESQL = """
    SELECT coalesce(host(client_addr), 'this machine'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' GROUP BY 1
"""
_MYSQL = """
    SELECT substring_index(host, ':', 1), count(*) FROM information_schema.processlist
    WHERE db = database() AND id <> connection_id() GROUP BY 1
"""


def refuse_others(database: Database) -> None:
    """Raises `ServerError` naming the hosts that have sessions on a database, and where SQLite's is locked."""
    if database.store == SQLITE:
        _refuse_a_lock(database)
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(database.url, poolclass=NullPool).connect() as connection:
        found = connection.execute(text(_MYSQL if database.store == MYSQL else _POSTGRESQL)).all()
    if found:
        hosts = ", ".join(f"{count} from {host}" for host, count in found)
        raise ServerError(
            f"The database is in use ({hosts}): stop every server and client on it, here and on other hosts, and "
            "run the upgrade again."
        )


def _refuse_a_lock(database: Database) -> None:
    with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise ServerError(
                f"The database {database.path} is in use ({error}): stop what works on it, and run the upgrade again."
            ) from error
