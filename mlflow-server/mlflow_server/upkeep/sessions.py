"""Who else is at work on a database: a server, on this machine or another, that an upgrade would pull the tables from.

https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from mlflow_server.errors import ServerError
from mlflow_server.upkeep.databases import MYSQL, SQLITE, Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ENDING_SECONDS, _LOOK_SECONDS = 3, 0.2
_POSTGRESQL = """
    SELECT coalesce(host(client_addr), 'this machine'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' GROUP BY 1
"""
_MYSQL = """
    SELECT substring_index(host, ':', 1), count(*) FROM information_schema.processlist
    WHERE db = database() AND id <> connection_id() GROUP BY 1
"""


def refuse_others(database: Database, connection: Connection) -> None:
    """Raises `ServerError` naming the hosts that have sessions on a database, and where SQLite's is locked.

    `connection` is the caller's own session. Those of a server that was just stopped take a moment to end.
    """
    if database.store == SQLITE:
        _refuse_a_lock(database)
        return
    from sqlalchemy import text

    deadline = time.monotonic() + _ENDING_SECONDS
    question = text(_MYSQL if database.store == MYSQL else _POSTGRESQL)
    while found := connection.execute(question).all():
        if time.monotonic() > deadline:
            hosts = ", ".join(f"{count} from {host}" for host, count in found)
            raise ServerError(
                f"The database is in use (sessions: {hosts}): stop every server and client on it, here and on other "
                "hosts, and run the upgrade again."
            )
        time.sleep(_LOOK_SECONDS)


def _refuse_a_lock(database: Database) -> None:
    with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise ServerError(
                f"The database {database.path} is in use ({error}): stop what works on it, and run the upgrade again."
            ) from error
