"""`up`, `down`, `status` of a server of this machine, and `serve`, which containers and supervisors run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from mlflow_server import accounts, background, encryption, hosts, serve, serving
from mlflow_server.commands.options import Folder, home_of, home_options
from mlflow_server.condition import services, stores
from mlflow_server.encryption import Encryption
from mlflow_server.errors import ServerError
from mlflow_server.first_start import traceless
from mlflow_server.foreground import serve_home, serve_with_stores
from mlflow_server.home import Home
from mlflow_server.local import Local, write_client_environment
from mlflow_server.preflight import scarce_room
from mlflow_server.processes import Running
from mlflow_server.serving import LOCALHOST, Accounts, Serving
from mlflow_server.settings import Settings

_DOWN, _SILENT, _STORE_DOWN = 3, 4, 5

_port = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; 0 takes the one it had last, or a free one.",
)


@click.command()
@home_options
@_port
@click.option(
    "--postgres/--no-postgres", default=None, help="Start PostgreSQL and an S3-compatible object store with it."
)
@click.option("--backend-store-uri", envvar=serving.BACKEND, help="A database of your own: an SQLAlchemy URL.")
@click.option("--artifacts-destination", envvar=serving.ARTIFACTS, help="A bucket or folder of your own: a URI.")
@click.option("--auth/--no-auth", default=None, help="Ask for a password; on by default but in the embedded mode.")
@click.option("--projects/--no-projects", default=None, help="Keep projects apart (MLflow's workspaces).")
@click.option("--allowed-hosts", multiple=True, help="A further Host header that is answered; may be repeated.")
@click.option("--cors-allowed-origins", multiple=True, help="A web origin that may call; may be repeated.")
@click.option("--workers", type=click.IntRange(1), help="Serving processes.")
@click.option("--foreground", is_flag=True, help="Serve here until Ctrl-C instead of in the background.")
def up(home: Home, port: int, foreground: bool, **told: Any) -> None:
    """Start the server, and print its tracking URI once it answers; without options as it was last time."""
    settings = Settings.kept_in(home.folder).told(**told)
    with traceless(home):
        _up(home, port, foreground, settings)


def _up(home: Home, port: int, foreground: bool, settings: Settings) -> None:
    home.make()
    warning = scarce_room(home.folder)
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    if not foreground:
        record, local = background.start(home, port, settings)
        _announce(record, home, local)
        for name in home.projects():
            if home.project(name).running() is None:
                click.echo(
                    f"the isolated project {name} is down: `mlflow-server up --project {name}` starts its server"
                )
        return

    def ready(record: Running, local: Local) -> None:
        settings.keep_in(home.folder)
        write_client_environment(home, local, record.tracking_uri)
        _announce(record, home, local)

    serve_with_stores(home, port, settings, ready)


@click.command("serve")
@click.option("--home", type=Folder(path_type=Path), callback=home_of, help="Folder that records the process.")
@click.option("--host", envvar="MLFLOW_HOST", default=LOCALHOST, show_default=True)
@click.option("--port", envvar="MLFLOW_PORT", type=click.IntRange(0, 65535), default=5000, show_default=True)
@click.option("--backend-store-uri", envvar=serving.BACKEND, required=True)
@click.option("--artifacts-destination", envvar=serving.ARTIFACTS, required=True)
@click.option("--auth/--no-auth", envvar=serving.AUTH, default=True, show_default=True)
@click.option("--projects/--no-projects", envvar=serving.PROJECTS, default=False, show_default=True)
@click.option("--confined/--unconfined", envvar=serving.CONFINED, default=False, help="Open the destination only.")
@click.option("--allowed-hosts", envvar=serving.HOSTS, default=",".join(serving.LOOPBACK), show_default=True)
@click.option("--cors-allowed-origins", envvar=serving.ORIGINS, default="")
@click.option("--workers", envvar=serving.WORKERS, type=click.IntRange(1), default=1, show_default=True)
@click.option("--metrics", envvar=serving.METRICS, type=click.Path(path_type=Path), help="Folder of the counters.")
@click.option("--admin", envvar=serving.ADMIN, default="admin", show_default=True)
@click.option("--password", envvar=serving.PASSWORD, help="The administrator's, by the environment only.", hidden=True)
@click.option("--secret-key", envvar=serving.SECRET_KEY, hidden=True)
@click.option("--passphrase", envvar=encryption.PASSPHRASE, hidden=True)
@click.option("--webhook-key", envvar=encryption.WEBHOOK_KEY, hidden=True)
def serve_(
    home: Home | None,
    host: str,
    port: int,
    auth: bool,
    admin: str,
    password: str | None,
    secret_key: str | None,
    passphrase: str | None,
    webhook_key: str | None,
    allowed_hosts: str,
    cors_allowed_origins: str,
    **options: Any,
) -> None:
    """Serve here until SIGTERM, as the environment says: what the container runs, and `up` in the background."""
    if auth and not (password and secret_key):
        raise ServerError(
            f"A server with accounts needs {serving.PASSWORD} and {serving.SECRET_KEY} in its environment: "
            "set both, or start it with --no-auth where only trusted people reach it."
        )
    if auth and password:
        accounts.check_name(admin)
        accounts.check_password(password)
    names, origins = _names(allowed_hosts), _names(cors_allowed_origins)
    hosts.check(names, origins)
    served = Serving(
        accounts=Accounts(admin, password, secret_key) if auth and password and secret_key else None,
        allowed_hosts=names,
        cors_allowed_origins=origins,
        encryption=Encryption.told(passphrase, webhook_key),
        **options,
    )
    if served.encryption is None:
        click.echo(
            "Warning: secrets of model providers and webhooks are kept in the database under keys that others know or "
            f"that end with this process: set {encryption.PASSPHRASE} and {encryption.WEBHOOK_KEY}.",
            err=True,
        )
    if home:
        serve_home(home, port, served)
        return
    listener = serve.bound(host, port)
    serve.serve(served, listener, lambda: click.echo(f"up: http://{host}:{listener.getsockname()[1]}"))


@click.command()
@home_options
def down(home: Home) -> None:
    """Stop the server, all its processes and the stores that were started with it; what they know stays."""
    click.echo("stopped" if background.stop(home) else "not running")


@click.command()
@home_options
def status(home: Home) -> None:
    """Say whether the server answers, and where, and how its stores are.

    Ends with 0 when all is up, 3 when the server is down, 5 when a store is down, 4 when it does not answer though
    its stores are up.
    """
    settings, record = Settings.kept_in(home.folder), home.running()
    if record is None:
        click.echo("down")
        for name, service in services(home, settings).items():
            if service.running():
                click.echo(f"{name}: still running; `mlflow-server up` serves it again, `mlflow-server down` stops it")
        sys.exit(_DOWN)
    healthy = background.healthy(record)
    if healthy:
        _announce(record, home, None)
    else:
        click.echo(f"started but not answering: {record.tracking_uri} (process {record.pid}, log {home.log})")
    found = list(stores(home, settings))
    for store in found:
        click.echo(str(store))
    accounts = f"asked for (log in with {home.client_environment})" if settings.asks_for_passwords else "none"
    click.echo(f"accounts: {accounts}")
    click.echo(f"projects: {'kept apart' if settings.projects else 'off'}")
    if home.projects():
        click.echo(f"isolated projects: {', '.join(home.projects())}")
    if any(store.there is False for store in found):
        click.echo("Start what is down again: `mlflow-server up` does so with the stores that it started.", err=True)
        sys.exit(_STORE_DOWN)
    if not healthy:
        sys.exit(_SILENT)


def _announce(record: Running, home: Home, local: Local | None) -> None:
    click.echo(f"up: {record.tracking_uri} (process {record.pid})")
    accounts = local.serving.accounts if local and local.new_accounts else None
    if accounts and background.logs_in(record, accounts):
        click.echo(
            f"administrator: {accounts.admin}, password: {accounts.password}\n"
            f"(shown this once; kept in {home.client_environment}: `source` it to log in)"
        )
    elif accounts:
        click.echo(
            f"Warning: the database has accounts already, and {accounts.admin!r} has another password there than in "
            f"{home.client_environment}: log in with the one you know, and write it there.",
            err=True,
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
