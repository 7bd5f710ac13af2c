"""The folder of a tracking server on this machine, and which process serves it.

mlflow.db      runs, models and everything else but artifacts (SQLite)
artifacts/     what runs log as files, served through the server
server.log     what the server says when it runs in the background
server.json    the process that serves this folder, while it does
port           the port it had last, which it takes again
settings.json  what `up` was told (private: a database URI may hold a password)
credentials.json, client.env   generated secrets, and what a shell needs to log in (private)
accounts.ini   what tells MLflow where its accounts are, with the database's password (private)
postgres/, objects/, metrics/  stores that were started with the server, and its Prometheus counters
projects/      the homes of projects with a server of their own
lock           held by the process that serves this folder: there is only one
changing       held by a command that starts or stops the server
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from mlflow_server.errors import ServerError
from mlflow_server.processes import Running


@dataclass(frozen=True)
class Home:
    """An absolute folder and the places in it."""

    folder: Path

    @property
    def database_uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def client_environment(self) -> Path:
        return self.folder / "client.env"

    @property
    def _record(self) -> Path:
        return self.folder / "server.json"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @property
    def _port(self) -> Path:
        return self.folder / "port"

    def project(self, name: str) -> Home:
        """The folder of a project that has a server of its own."""
        return Home(self.folder / "projects" / name)

    @property
    def host(self) -> Home:
        """The folder of the server whose stores a project with a server of its own shares; it lies in there."""
        return Home(self.folder.parents[1])

    def projects(self) -> list[str]:
        """The projects that have a server of their own, by name."""
        folder = self.folder / "projects"
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def make(self) -> None:
        """Make the folder where there is none, for its owner alone.

        Raises `ServerError` where it cannot be made or written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.artifacts.mkdir(exist_ok=True)
            for folder in (self.folder, self.artifacts):
                tempfile.TemporaryFile(dir=folder).close()
                self._make_private(folder)
        except OSError as error:
            raise ServerError(
                f"{self.folder} cannot be used ({error.strerror}): name another folder with --home."
            ) from error

    def _make_private(self, folder: Path) -> None:
        """Shut others out of a folder, but for whom root has PostgreSQL served as, and not of a place for everyone."""
        found, database = folder.stat(), self.folder / "postgres"
        if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
            return
        passed = folder == self.folder and database.exists() and database.stat().st_uid != found.st_uid
        folder.chmod(0o711 if passed else 0o700)

    def lock(self) -> IO[str]:
        """Hold the folder until the returned file is closed; raises `ServerError` where another process holds it."""
        file = self._lock.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ServerError(
                f"Another server serves {self.folder}: stop it first, or name another folder with --home."
            ) from None
        return file

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Wait for other commands that start or stop the server, and have those that follow wait for this one."""
        with (self.folder / "changing").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def last(self) -> Running | None:
        """The process that serves this folder or did when it was killed, or None."""
        return Running.recorded_in(self._record)

    def running(self) -> Running | None:
        """The process that serves this folder, or None; a copied folder does not own the process of its original."""
        running = self.last()
        process = running.process() if running else None
        return running if process and self._held_by(process) else None

    def enter(self, port: int) -> Running:
        """Record this very process, which holds the folder, as the one that serves it on `port`."""
        self._port.write_text(str(port))
        running = Running(os.getpid(), psutil.Process().create_time(), port, str(self.folder))
        running.record_in(self._record)
        return running

    def leave(self) -> None:
        """Drop the record: nothing serves this folder any more."""
        self._record.unlink(missing_ok=True)

    def last_port(self) -> int | None:
        """The port this folder was served on last, or None."""
        try:
            return int(self._port.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _held_by(self, process: psutil.Process) -> bool:
        try:
            # The open file goes with a folder that is moved, and not with a copy of it.
            return str(self._lock.resolve()) in {file.path for file in process.open_files()}
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
