"""A server brought back from its backup, into a folder that holds nothing, or not at all."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from mlflow_server.credentials import Credentials
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.settings import Settings
from mlflow_server.stack.postgres import Postgres
from mlflow_server.upkeep.archive import Archive, opened
from mlflow_server.upkeep.databases import SQLITE, STACK, Database, named
from mlflow_server.upkeep.manifest import Manifest

_REVISION = re.compile(r"""^revision(?::\s*str)?\s*=\s*["'](\w+)["']""", re.MULTILINE)
_FOLDERS = ("artifacts", "objects")


def restore(path: Path, home: Home, backend_store_uri: str | None) -> Manifest:
    """Make `home` what it was when the backup was made; a database of one's own is filled where it was.

    `backend_store_uri` names another of the same kind for it. Everything is checked before the first file is written:
    raises `ServerError` where the archive is damaged or made by a newer MLflow, and where the folder or the database
    holds something. A failure leaves neither folder nor tables (MySQL's excepted, which cannot take tables back).
    """
    if home.folder.exists() and (not home.folder.is_dir() or any(home.folder.iterdir())):
        raise ServerError(f"{home.folder} holds something already: name an empty or new folder with --home.")
    with opened(path) as archive:
        source = archive.manifest.source
        if source.schema and source.schema not in _revisions():
            raise ServerError(
                f"{path} was made with MLflow {source.mlflow}, which is newer than the one here: "
                "restore it with the release of mlflow-server that made it."
            )
        archive.check()
        draft = Home(home.folder.with_name(f".{home.folder.name}.restoring"))
        shutil.rmtree(draft.folder, ignore_errors=True)
        try:
            _unpack(archive, draft, home.folder, backend_store_uri)
            if home.folder.exists():
                home.folder.rmdir()
            draft.folder.rename(home.folder)
        except OSError as error:
            raise ServerError(
                f"{path} could not be restored to {home.folder} ({error.strerror}): nothing of it was kept."
            ) from error
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)
        return archive.manifest


def _unpack(archive: Archive, home: Home, place: Path, backend_store_uri: str | None) -> None:
    """Make the home that is to be moved to `place`."""
    home.make()
    for name in archive.names("home"):
        archive.unpack(name, home.folder / name.removeprefix("home/"), mode=0o600)
    settings = Settings.kept_in(home.folder)
    target = backend_store_uri or settings.backend_store_uri
    database = named(target) if target else None
    _agree(archive, database)
    for folder in _FOLDERS:
        below = home.artifacts if folder == "artifacts" else home.folder / "objects" / "data"
        for name in archive.names(folder):
            archive.unpack(name, below / name.removeprefix(f"{folder}/"))
    if archive.manifest.source.store == STACK:
        _fill_stack(archive, home)
    else:
        (database or named(home.database_uri)).load(archive)
    if backend_store_uri:
        replace(settings, backend_store_uri=backend_store_uri).keep_in(home.folder)
    for project in map(home.project, home.projects()):
        replace(Settings.kept_in(project.folder), shared_from=str(place)).keep_in(project.folder)


def _agree(archive: Archive, database: Database | None) -> None:
    store = archive.manifest.source.store
    there = database.store if database else None
    fitting: dict[str, tuple[str | None, ...]] = {SQLITE: (None, SQLITE), STACK: (None,)}
    if there not in fitting.get(store, (store,)):
        raise ServerError(
            f"The backup is of a database of the kind {store!r}, and --backend-store-uri names one of the kind "
            f"{there!r}: a backup goes back into the kind that it came from."
        )
    if database and database.has_tables():
        raise ServerError("The database that the backup would go to holds tables already: name or make an empty one.")


def _fill_stack(archive: Archive, home: Home) -> None:
    credentials, _ = Credentials.kept_in(home.folder)
    postgres = Postgres(home.folder / "postgres", credentials.database_password)
    started = postgres.start()
    try:
        Database(STACK, postgres.url(started.port)).load(archive)
    finally:
        postgres.stop()


def _revisions() -> set[str]:
    """Every revision of its tables that this MLflow knows, read from its migrations: to load MLflow takes seconds."""
    spec = find_spec("mlflow")
    migrations = Path(spec.origin or "").parent / "store" / "db_migrations" / "versions" if spec else Path()
    return {found[1] for script in migrations.glob("*.py") if (found := _REVISION.search(script.read_text()))}
