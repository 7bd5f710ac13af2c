"""A MySQL or MariaDB database, dumped and loaded by the programs of its own packages.

https://mariadb.com/kb/en/mariadb-dump/
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_server.errors import ServerError
from mlflow_server.upkeep.archive import Archive, Draft
from mlflow_server.upkeep.pipe import run_from, run_into

MEMBER = "database/mlflow.sql"
_DUMP, _CLIENT = ("mariadb-dump", "mysqldump"), ("mariadb", "mysql")
# MLflow's tables only, in one transaction: no lock keeps those who write waiting.
_OPTIONS = ("--single-transaction", "--quick", "--triggers", "--skip-lock-tables", "--default-character-set=utf8mb4")


def dump(url: str, draft: Draft) -> None:
    """One database, as it is at this moment; raises `ServerError` where the program for it is missing or fails."""
    program = _program(_DUMP)
    with _login(url) as (login, database), draft.member(MEMBER, pressed=True) as sink:
        run_into(sink, [program, login, *_OPTIONS, database], {})


def load(archive: Archive, url: str) -> None:
    """Fill an empty database; raises `ServerError` where the program for it is missing or fails."""
    program = _program(_CLIENT)
    with _login(url) as (login, database):
        run_from(archive.chunks(MEMBER), [program, login, "--default-character-set=utf8mb4", database], {})


def has_tables(url: str) -> bool:
    """Whether anything is in a database; raises `ServerError` where it does not answer."""
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import OperationalError

    engine = create_engine(url)
    try:
        return bool(inspect(engine).get_table_names())
    except OperationalError as error:
        raise ServerError(f"The database cannot be reached: {error.orig}") from error
    finally:
        engine.dispose()


def _program(names: tuple[str, str]) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise ServerError(
        f"Neither `{names[0]}` nor `{names[1]}` is on the PATH, and a MySQL database is backed up and restored by "
        "them: install the client programs of MariaDB or MySQL, or take the backup where the database runs."
    )


@contextmanager
def _login(url: str) -> Iterator[tuple[str, str]]:
    """The option that logs in, from a private file since a command line can be read by others; and the database."""
    from sqlalchemy import make_url

    told = make_url(url)
    options = {
        "user": told.username,
        "password": told.password,
        "host": told.host,
        "port": told.port,
        "protocol": "tcp",
        "ssl-ca": told.query.get("ssl_ca"),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:
        file.write("[client]\n" + "".join(f"{name}={_quoted(value)}\n" for name, value in options.items() if value))
        file.flush()
        yield f"--defaults-extra-file={Path(file.name)}", str(told.database)


def _quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
