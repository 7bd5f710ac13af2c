"""A server of this machine: its stores started, its secrets made, and what it is served with put together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from mlflow_server.credentials import Credentials
from mlflow_server.home import Home
from mlflow_server.private_file import write_private
from mlflow_server.serving import LOOPBACK, Serving
from mlflow_server.settings import Settings
from mlflow_server.stack import objects, postgres
from mlflow_server.stack.objects import BUCKET, ObjectStore
from mlflow_server.stack.postgres import Postgres

_WORKERS = 2


@dataclass(frozen=True)
class Local:
    """What a home's server is served with: `environment` is for its stores (boto3), `first` says whether it is new."""

    serving: Serving
    environment: Mapping[str, str]
    new_accounts: bool


def prepare(home: Home, settings: Settings) -> Local:
    """Start the stores of a home where they are its own, and say what the server is to be served with.

    Raises `ServerError` where a store does not start.
    """
    if settings.shared_from:
        from mlflow_server import isolated

        return isolated.prepare(home, settings)
    credentials, _ = Credentials.kept_in(home.folder)
    backend = settings.backend_store_uri or home.database_uri
    environment: dict[str, str] = {}
    if settings.postgres:
        database = Postgres(home.folder / "postgres", credentials.database_password)
        backend = database.url(database.start().port)
        if settings.artifacts_destination is None:
            store = ObjectStore(home.folder / "objects", credentials.access_key_id, credentials.secret_access_key)
            environment = store.environment(store.start().port)
    serving = Serving(
        backend_store_uri=backend,
        artifacts_destination=artifacts_root(home, settings),
        accounts=credentials.accounts if settings.asks_for_passwords else None,
        projects=bool(settings.projects),
        allowed_hosts=(*LOOPBACK, *settings.allowed_hosts),
        cors_allowed_origins=settings.cors_allowed_origins,
        workers=settings.workers or (1 if settings.embedded else min(_WORKERS, os.cpu_count() or 1)),
        metrics=None if settings.embedded else home.folder / "metrics",
        encryption=credentials.encryption,
    )
    return Local(serving, environment, serving.accounts is not None and not _told(home))


def artifacts_root(home: Home, settings: Settings) -> str:
    """The URI below which the server of a home keeps artifacts."""
    own = f"s3://{BUCKET}/artifacts" if settings.postgres else home.artifacts.as_uri()
    return settings.artifacts_destination or own


def _told(home: Home) -> bool:
    """Whether the administrator's password was shown before."""
    environment = home.client_environment
    return environment.exists() and "MLFLOW_TRACKING_PASSWORD" in environment.read_text()


def stop_stores(home: Home) -> bool:
    """Stop the stores that were started with the server of a home; False when none ran."""
    # It takes no secrets, which may be what is damaged.
    return any([objects.service(home.folder / "objects").stop(), postgres.service(home.folder / "postgres").stop()])


def write_client_environment(home: Home, local: Local, tracking_uri: str) -> None:
    """Write what a shell needs to log to the server as its administrator, and to its object store."""
    # The key of a store that others use too is for the server alone.
    environment = {"MLFLOW_TRACKING_URI": tracking_uri, **({} if local.serving.confined else local.environment)}
    if local.serving.accounts:
        environment["MLFLOW_TRACKING_USERNAME"] = local.serving.accounts.admin
        environment["MLFLOW_TRACKING_PASSWORD"] = local.serving.accounts.password
    write_private(
        home.client_environment, "".join(f"export {name}={quote(value)}\n" for name, value in environment.items())
    )
