"""A project with a server of its own on shared stores: its own database, artifact prefix, process and accounts.

<home>/projects/<name>/   the home of the project's server: its settings, accounts, log and port

Its database belongs to a role that can open no other, and its server opens no artifacts outside its prefix, whoever
asks: the key of the object store is one for all. On stores that homes share, no two have a project of one name there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mlflow_server import local
from mlflow_server.credentials import Credentials
from mlflow_server.database.tenant import drop_database, make_database
from mlflow_server.errors import ServerError
from mlflow_server.home import Home
from mlflow_server.local import Local
from mlflow_server.settings import Settings

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

# The longest name of a user that MySQL takes is 32: https://dev.mysql.com/doc/refman/8.4/en/user-names.html
_SHOWN = 15
_HELD = {
    "experiments": "experiments",
    "runs": "runs",
    "registered_models": "registered models or prompts",
    "trace_info": "traces",
    "logged_models": "logged models",
    "datasets": "datasets of runs",
    "evaluation_datasets": "evaluation datasets",
    "scorers": "scorers",
    "issues": "issues",
    "label_schemas": "label schemas",
    "review_queues": "review queues",
    "secrets": "gateway secrets",
    "endpoints": "gateway endpoints",
    "mcp_servers": "MCP servers",
    "webhooks": "webhooks",
}


@dataclass(frozen=True)
class Tenancy:
    """What a project has of the stores of another home: a database with a role of the same name, and a prefix."""

    database: str
    artifacts: str


def database_name(project: Home) -> str:
    """What the database of a project is called, and the role it belongs to."""
    return f"project_{_unique(project)}"


def artifacts_root(project: Home) -> str:
    """The URI of a project's own artifacts: beside the shared server's own where they are in a folder, else in it."""
    settings = Settings.kept_in(project.host.folder)
    root = local.artifacts_root(project.host, settings).rstrip("/")
    above, _, last = root.rpartition("/")
    name = _unique(project) if settings.artifacts_destination else project.folder.name
    return f"{above if last == 'artifacts' else root}/projects/{name}/artifacts"


def settings(home: Home) -> Settings:
    """What the server of a new project is to be served with, on the stores of `home`."""
    return Settings(auth=True, shared_from=str(home.folder))


def prepare(project: Home, told: Settings) -> Local:
    """Start the stores that a project shares, make what is its own in them, and say what to serve it with.

    Raises `ServerError` where the shared database lets nobody make databases in it.
    """
    shared = project.host
    with shared.changing():
        host = local.prepare(shared, Settings.kept_in(shared.folder))
    credentials, new = Credentials.kept_in(project.folder)
    tenancy = _tenancy(project)
    backend = _own_database(project, host, tenancy, credentials.database_password)
    serving = replace(
        host.serving,
        backend_store_uri=backend,
        artifacts_destination=tenancy.artifacts,
        accounts=credentials.accounts,
        projects=False,
        confined=True,
        workers=told.workers or 1,
        metrics=project.folder / "metrics",
        encryption=credentials.encryption,
    )
    return Local(serving, host.environment, new)


def held(project: Home) -> list[str]:
    """What a project holds, as `12 runs`; empty where nobody used it yet."""
    from sqlalchemy import create_engine, inspect, text

    host, tenancy = _host(project)
    uri = _own_database(project, host, tenancy, Credentials.kept_in(project.folder)[0].database_password)
    engine = create_engine(uri)
    try:
        tables = set(inspect(engine).get_table_names())
        with engine.connect() as connection:
            counts = {
                called: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608 - of ours
                for table, called in _HELD.items()
                if table in tables
            }
            if "experiments" in tables:
                # MLflow makes one itself, `Default`.
                made = text("SELECT count(*) FROM experiments WHERE experiment_id <> 0")
                counts["experiments"] = connection.execute(made).scalar_one()
    finally:
        engine.dispose()
    found = [f"{count} {called}" for called, count in counts.items() if count]
    return found + (["artifacts"] if _has_artifacts(tenancy.artifacts, host) else [])


def remove(project: Home) -> None:
    """Remove a stopped project: its artifacts, its database with its role, and its folder."""
    from sqlalchemy.engine import make_url

    host, tenancy = _host(project)
    _delete_artifacts(tenancy.artifacts, host)
    url = make_url(host.serving.backend_store_uri)
    if url.get_backend_name() != "sqlite":
        drop_database(url, tenancy.database)
    shutil.rmtree(project.folder)


def discard(project: Home) -> None:
    """Undo a making that failed, as far as it came."""
    try:
        remove(project)
    except ServerError:
        # The failure that is being told already: a database that lets nothing be made has nothing to be dropped.
        shutil.rmtree(project.folder)


def _host(project: Home) -> tuple[Local, Tenancy]:
    host = local.prepare(project.host, Settings.kept_in(project.host.folder))
    return host, _tenancy(project)


def _tenancy(project: Home) -> Tenancy:
    return Tenancy(database_name(project), artifacts_root(project))


def _unique(project: Home) -> str:
    """Its name and what tells it from another home's project of that name: a digest of its own generated password."""
    password = Credentials.kept_in(project.folder)[0].database_password
    name = project.folder.name.replace("-", "_")[:_SHOWN]
    return f"{name}_{hashlib.sha256(password.encode()).hexdigest()[:8]}"


def _own_database(project: Home, host: Local, tenancy: Tenancy, password: str) -> str:
    """The SQLAlchemy URL of the project's database, made with its role where there is none."""
    from sqlalchemy.engine import make_url

    url = make_url(host.serving.backend_store_uri)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return project.database_uri
    make_database(url, tenancy.database, password)
    own = url.set(username=tenancy.database, password=password, database=tenancy.database)
    return own.render_as_string(hide_password=False)


def _delete_artifacts(root: str, host: Local) -> None:
    """Delete everything below a prefix."""
    if _has_artifacts(root, host):
        _artifacts(root, host).delete_artifacts()


def _has_artifacts(root: str, host: Local) -> bool:
    if urlsplit(root).scheme == "file" and not Path(unquote(urlsplit(root).path)).exists():
        return False
    return bool(_artifacts(root, host).list_artifacts())


def _artifacts(root: str, host: Local) -> ArtifactRepository:
    """Opens a prefix with the credentials of the stores, which boto3 reads from its environment."""
    os.environ.update(host.environment)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(root)
