"""The two servers of a rehearsal, the local cloud and MLflow: `make up`, `make down`, `make status`.

Everything that knows that there is a local mode stands here: the rooms are given addresses and credentials, as on AWS.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from demo.account import Account, NotDeployed, deploy_stack, hand_tools

LOCAL = Path(".local")
START_SECONDS = 120
STOP_SECONDS = 40


@dataclass(frozen=True)
class Service:
    """A server that can be run in the background (`up`, `down`, `status`) or as a child of this process."""

    module: str
    home: Path

    def command(self, verb: str, *options: str) -> list[str]:
        return [sys.executable, "-m", self.module, verb, "--home", str(self.home), *options]

    def address(self) -> str | None:
        """Where it answers, if it is up."""
        told = subprocess.run(self.command("status"), capture_output=True, text=True, check=False)
        return next((word for word in told.stdout.split() if word.startswith("http://")), None)


CLOUD = Service("local_aws", LOCAL / "aws")
# Not where `mlflow-server up` keeps a server of one's own, which may ask for passwords.
MLFLOW = Service("mlflow_server", LOCAL / "rehearsal")


class NotStarted(Exception):
    """A server that was told to start and did not; the message is what it said."""


@contextlib.contextmanager
def running() -> Iterator[tuple[str, str]]:
    """The addresses of the local cloud and of MLflow: those that are up, or two that live as long as this context."""
    children: dict[Service, subprocess.Popen[str]] = {}
    try:
        addresses = [service.address() for service in (CLOUD, MLFLOW)]
        for service, address in zip((CLOUD, MLFLOW), addresses, strict=True):
            if address is None:
                children[service] = _start(service)
        cloud, mlflow = [
            address or _listening(service, children[service])
            for service, address in zip((CLOUD, MLFLOW), addresses, strict=True)
        ]
        yield cloud, mlflow
    finally:
        # A second Ctrl-C must not interrupt what the first one asked for.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for child in children.values():
            child.terminate()
        for child in children.values():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        signal.signal(signal.SIGINT, previous)


def _start(service: Service) -> subprocess.Popen[str]:
    service.home.mkdir(parents=True, exist_ok=True)
    with (service.home / "server.log").open("ab") as log:
        return subprocess.Popen(
            service.command("up", "--foreground"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def _listening(service: Service, child: subprocess.Popen[str]) -> str:
    """Wait for the line that says where a server listens, and let it print on."""
    assert child.stdout is not None  # noqa: S101 - it was started with a pipe
    watchdog = threading.Timer(START_SECONDS, child.kill)
    watchdog.daemon = True
    watchdog.start()
    said = []
    try:
        for line in child.stdout:
            said.append(line)
            address = next((word for word in line.split() if word.startswith("http://127.0.0.1")), None)
            if address:
                threading.Thread(target=lambda: child.stdout and child.stdout.read(), daemon=True).start()
                return address
    finally:
        watchdog.cancel()
    log = service.home / "server.log"
    last = "".join(log.read_text(errors="replace").splitlines(keepends=True)[-3:]) if log.exists() else ""
    words = "".join([*said, last]).strip() or "it said nothing"
    raise NotStarted(f"{service.module} did not start (exit code {child.wait()}; its log is {log}): {words}")


def environment_file(account: Account) -> Path:
    """Write what a shell must know to work with the servers that are up, to be read with `source`."""
    path = LOCAL / "env"
    path.write_text("".join(f"export {name}={value}\n" for name, value in sorted(account.environment.items())))
    path.chmod(0o600)
    return path


@click.group()
def main() -> None:
    """The local cloud and MLflow of this repository."""


@main.command()
def up() -> None:
    """Start both in the background, on the state they were left with."""
    with contextlib.ExitStack() as undo:
        for service in (CLOUD, MLFLOW):
            if service.address() is None:
                undo.callback(subprocess.run, service.command("down"), check=False)
                subprocess.run(service.command("up"), check=True)
        cloud, mlflow = CLOUD.address(), MLFLOW.address()
        if cloud is None or mlflow is None:
            raise click.ClickException(
                f"A server is gone again: read {CLOUD.home}/server.log and {MLFLOW.home}/server.log"
            )
        account = Account.of(cloud, mlflow)
        try:
            deploy_stack(account, CLOUD.home, click.echo)
        except NotDeployed as error:
            raise click.ClickException(str(error)) from error
        account = Account({**account.environment, **hand_tools(account, CLOUD.home)})
        undo.pop_all()
    click.echo(f"\nAWS:    {cloud} (also for a browser)\nMLflow: {mlflow}")
    click.echo(f"\nTo push there:\n  git remote add local {account.git_remote}   (set-url where it is there)")
    click.echo("  git push local main")
    if (LOCAL / "demo" / "repository" / ".git").exists():
        # The address may be another than at the time of the demo.
        where = ["git", "-C", str(LOCAL / "demo" / "repository"), "remote", "set-url", "local", account.git_remote]
        subprocess.run(where, check=False)
    click.echo(f"\nIn a shell that should use them:\n  source {environment_file(account)} && source .venv/bin/activate")


@main.command()
def down() -> None:
    """Stop both; their state stays in .local/."""
    for service in (CLOUD, MLFLOW):
        if service.home.exists():
            subprocess.run(service.command("down"), check=False)
    (LOCAL / "env").unlink(missing_ok=True)


@main.command()
def status() -> None:
    """Say what is up, where, and how much disk the state takes; exit code 3 when something is down."""
    addresses = {service: service.address() for service in (CLOUD, MLFLOW)}
    for service, address in addresses.items():
        name = "AWS" if service is CLOUD else "MLflow"
        click.echo(f"{name + ':':8}{address or 'down'}  ({service.home}, {_megabytes(service.home)} MB)")
    if not all(addresses.values()):
        click.echo("`make up` starts what is down. For scripts this ends with 3, which make calls an error.", err=True)
        sys.exit(3)


def _megabytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat(follow_symlinks=False).st_size
    return total // 1024**2


if __name__ == "__main__":
    main()
