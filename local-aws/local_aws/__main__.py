"""The command line: `local-aws up`, `down`, `status`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import psutil

_HOME = Path(".local/aws")
_DOWN_SECONDS = 30


def _not_under_a_file(context: click.Context, parameter: click.Parameter, home: Path) -> Path:
    nearest = next(path for path in (home, *home.parents, Path()) if path.exists())
    if not nearest.is_dir():
        raise click.BadParameter(f"{home} cannot be a folder: {nearest} is a file.", context, parameter)
    return home


_home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=_HOME,
    callback=_not_under_a_file,
    show_default=True,
    help="Folder of all its state.",
)


@click.group()
def main() -> None:
    """An AWS on this machine: SageMaker jobs, pipelines and endpoints run as processes; moto carries the rest."""


@main.command()
@_home
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; 0 takes a free one (or the one it had last).",
)
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--foreground", is_flag=True, help="Run here until Ctrl-C instead of in the background.")
def up(home: Path, port: int, region: str, foreground: bool) -> None:
    """Start the cloud on the state in its home, and print its address."""
    running = _running(home)
    if running:
        click.echo(f"already up: {running['endpoint_url']} (process {running['pid']})")
        return
    if not foreground:
        _start_in_background(home, port, region)
        return
    from local_aws.server import CannotServe, serve

    try:
        serve(home, port, region, ready=lambda url: click.echo(f"listening on {url}"))
    except CannotServe as error:
        raise click.ClickException(str(error)) from error


@main.command()
@_home
def down(home: Path) -> None:
    """Stop the cloud and every process it started; its state stays."""
    running = _running(home)
    if not running:
        click.echo("not running")
        return
    try:
        process = psutil.Process(running["pid"])
        process.terminate()
        try:
            process.wait(_DOWN_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_DOWN_SECONDS)
    except psutil.TimeoutExpired:
        raise click.ClickException(f"process {running['pid']} was killed and has not ended") from None
    except psutil.NoSuchProcess:
        pass  # it ended by itself, which is what was asked for
    click.echo("stopped")


@main.command()
@_home
def status(home: Path) -> None:
    """Say whether the cloud runs, and where."""
    running = _running(home)
    click.echo(f"up: {running['endpoint_url']} (process {running['pid']})" if running else "down")
    sys.exit(0 if running else 3)


@main.command("build-image")
@_home
@click.option("--tag", "uri", required=True, metavar="URI", help="The image URI that models and jobs will name.")
@click.option(
    "--build-arg", "arguments", multiple=True, metavar="NAME=VALUE", help="A value for an ARG of the Dockerfile."
)
@click.argument("context", type=click.Path(path_type=Path, exists=True, file_okay=False))
def build_image(home: Path, uri: str, arguments: tuple[str, ...], context: Path) -> None:
    """Build the image of CONTEXT/Dockerfile without Docker; needs no running cloud."""
    from local_aws.errors import AwsError
    from local_aws.images_build import build

    values = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        record = build(home, uri, context, values)
    except AwsError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{uri} is sha256:{record.digest}, on {record.python}")


def _running(home: Path) -> dict[str, Any] | None:
    """The record of the server on this home, when the process that wrote it is alive."""
    try:
        record = json.loads((home / "server.json").read_text())
        # The number of a process that ended may be another's by now; the time of its start is not.
        process = psutil.Process(record["pid"])
        alive = abs(process.create_time() - record["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, json.JSONDecodeError, KeyError, psutil.NoSuchProcess):
        return None
    return record if alive else None


def _start_in_background(home: Path, port: int, region: str) -> None:
    log = home / "server.log"
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError as error:
        raise click.ClickException(f"home {home} cannot be used: {error.strerror}") from error
    with file:
        said = file.tell()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "local_aws",
                "up",
                "--foreground",
                "--home",
                home,
                "--port",
                str(port),
                "--region",
                region,
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        running = _up_within(60, home, process)
    except BaseException:
        # Whoever interrupts this wants no cloud that comes up behind their back.
        process.terminate()
        process.wait(_DOWN_SECONDS)
        raise
    if running is None:
        raise click.ClickException(f"the cloud did not come up; the end of {log} says:\n{_said_since(log, said)}")
    click.echo(f"up: {running['endpoint_url']} (process {running['pid']})")


def _up_within(seconds: float, home: Path, process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """What is known of the server once it answers; None where its process ends without, or takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        running = _running(home)
        if running or ended:
            return running
        time.sleep(0.05)
    return None


def _said_since(log: Path, size: int) -> str:
    with log.open("rb") as file:
        file.seek(size)
        return "".join(file.read().decode(errors="replace").splitlines(keepends=True)[-5:])


if __name__ == "__main__":
    main()
