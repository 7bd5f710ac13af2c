"""A backup as one file: a ZIP archive that is there whole or not at all, its manifest written last.

https://docs.python.org/3/library/zipfile.html
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mlflow_server.errors import ServerError
from mlflow_server.upkeep.manifest import NAME, Manifest, Member, Source

_CHUNK = 1024 * 1024


class Draft:
    """An archive being written, under a name of its own until it is whole."""

    def __init__(self, archive: zipfile.ZipFile, folder: Path) -> None:
        self._archive = archive
        self._members: dict[str, Member] = {}
        self.folder = folder

    @contextmanager
    def member(self, name: str, *, pressed: bool = False) -> Iterator[Sink]:
        """A file of the archive to write to; `pressed` compresses it."""
        described = zipfile.ZipInfo(name)
        described.compress_type = zipfile.ZIP_DEFLATED if pressed else zipfile.ZIP_STORED
        described.external_attr = 0o600 << 16
        with self._archive.open(described, "w", force_zip64=True) as file:
            sink = Sink(file)
            yield sink
        self._members[name] = sink.written()

    def add(self, name: str, path: Path, *, pressed: bool = False) -> bool:
        """Take a file in as it is now; False where it has gone meanwhile."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return False
        with file, self.member(name, pressed=pressed) as sink:
            while chunk := file.read(_CHUNK):
                sink.write(chunk)
        return True

    def close(self, source: Source) -> Manifest:
        """Write the manifest, after which nothing can be added."""
        manifest = Manifest(source, self._members)
        self._archive.writestr(NAME, manifest.rendered())
        return manifest


class Sink:
    """Writes to a file and takes the digest of what it wrote."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._length = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._length += len(data)

    def written(self) -> Member:
        return Member(self._length, self._digest.hexdigest())


@contextmanager
def drafted(path: Path, home: Path) -> Iterator[Draft]:
    """An archive to be filled, which appears at `path` in the end; only its owner can read it.

    Of folders only one in `home` is made. Raises `ServerError` where there is something at `path` already, or no folder
    for it, and where it cannot be written (a full disk):
    nothing of it is left then.
    """
    if path.exists():
        raise ServerError(f"{path} is there already: name another file for the backup.")
    if not path.parent.is_dir() and path.parent.parent != home:
        raise ServerError(f"There is no folder {path.parent} for the backup: make it, or name another place.")
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(exist_ok=True)
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", compresslevel=1) as archive:
                yield Draft(archive, path.parent)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ServerError(
            f"The backup {path} could not be made ({error.strerror}{f': {error.filename}' if error.filename else ''}): "
            "nothing of it was kept; make room or name another place for it."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Archive:
    """A whole backup that is being read."""

    path: Path
    manifest: Manifest
    _archive: zipfile.ZipFile

    def names(self, folder: str) -> list[str]:
        """The files below a folder of the archive."""
        return sorted(name for name in self.manifest.members if name.startswith(f"{folder}/"))

    def check(self) -> None:
        """Read everything once; raises `ServerError` where a file is not as it was written."""
        listed = set(self._archive.namelist()) - {NAME}
        if strange := sorted(listed ^ set(self.manifest.members)):
            raise ServerError(f"{self.path} is not as it was made: {strange[0]} is in it or in its manifest only.")
        for name, member in self.manifest.members.items():
            _refuse_a_way_out(name)
            digest = hashlib.sha256()
            try:
                for chunk in self.chunks(name):
                    digest.update(chunk)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise ServerError(f"{self.path} is damaged: {name} cannot be read ({error}).") from error
            if digest.hexdigest() != member.sha256:
                raise ServerError(f"{self.path} is not as it was made: the digest of {name} is another.")

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file, in pieces."""
        with self._archive.open(name) as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def unpack(self, name: str, path: Path, mode: int = 0o644) -> None:
        """Write a file of the archive to `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            for chunk in self.chunks(name):
                file.write(chunk)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A backup to read; raises `ServerError` where the file is not there, is none or is not whole."""
    try:
        file = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise ServerError(f"There is no backup {path}: name a file that `mlflow-server backup` made.") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise ServerError(
            f"{path} cannot be read as a backup ({error}): it is not one, or was cut short; take another copy of it."
        ) from error
    with file:
        try:
            told = file.read(NAME).decode()
        except (KeyError, zipfile.BadZipFile, zlib.error, UnicodeDecodeError) as error:
            raise ServerError(f"{path} has no manifest that can be read: it is not a backup of this server.") from error
        yield Archive(path, Manifest.parsed(told), file)


def _refuse_a_way_out(name: str) -> None:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or not parts:
        raise ServerError(
            f"The backup holds a file named {name!r}, which would be written outside the server's folder."
        )
