"""`docker` as a build in privileged mode has it: login, build, tag, push, pull, images and inspect, without an engine.

Images are made by `images_build`. What a build has made, only that build knows, until `push` registers it in ECR under
the build's own credentials; from then on jobs and endpoints of this cloud find it by its URI. An option that is not
known is refused by name.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from local_aws.codebuild import registry
from local_aws.codebuild.daemon import Daemon, NoSuchImage, tagged
from local_aws.dockerfile import BuildRefused


@click.group(context_settings={"help_option_names": ["--help"]})
@click.argument("home", type=click.Path(path_type=Path))
@click.pass_context
def docker(context: click.Context, home: Path) -> None:
    """The local cloud whose state is in HOME stands in for Docker's daemon."""
    context.obj = Daemon(home, os.environ.get("CODEBUILD_BUILD_ID", "build"))


@docker.command()
@click.option("--username", "-u", required=True)
@click.option("--password-stdin", is_flag=True)
@click.option("--password", "-p", default=None)
@click.argument("server")
def login(username: str, password_stdin: bool, password: str | None, server: str) -> None:
    """Log in to a registry, with the token that ECR gives out."""
    given = sys.stdin.read().rstrip("\n") if password_stdin else (password or "")
    host = server.removeprefix("https://").rstrip("/")
    if username != "AWS" or given != registry.password():
        raise click.ClickException(
            f"Error response from daemon: login attempt to https://{host}/v2/ failed with status: 401 Unauthorized"
        )
    logins = {**_logins(), host: {"auth": base64.b64encode(f"{username}:{given}".encode()).decode()}}
    _config().parent.mkdir(parents=True, exist_ok=True)
    _config().write_text(json.dumps({"auths": logins}, indent=2))
    click.echo("Login Succeeded")


@docker.command()
@click.argument("server")
def logout(server: str) -> None:
    """Forget a login."""
    host = server.removeprefix("https://").rstrip("/")
    _config().parent.mkdir(parents=True, exist_ok=True)
    _config().write_text(json.dumps({"auths": {name: it for name, it in _logins().items() if name != host}}))
    click.echo(f"Removing login credentials for {host}")


@docker.command()
@click.option("--tag", "-t", "tags", multiple=True, required=True)
@click.option("--build-arg", "arguments", multiple=True)
@click.option("--file", "-f", "dockerfile", type=click.Path(path_type=Path), default=None)
@click.option("--platform", default=None)
@click.option("--quiet", "-q", is_flag=True)
@click.option("--push", "pushes", is_flag=True)
@click.option("--load", is_flag=True)
@click.option("--no-cache", is_flag=True)
@click.option("--pull", is_flag=True)
@click.option("--progress", default=None)
@click.option("--provenance", default=None)
@click.option("--sbom", default=None)
@click.option("--cache-from", multiple=True)
@click.option("--cache-to", multiple=True)
@click.argument("context", type=click.Path(path_type=Path))
@click.pass_obj
def build(
    daemon: Daemon,
    tags: tuple[str, ...],
    arguments: tuple[str, ...],
    dockerfile: Path | None,
    platform: str | None,
    context: Path,
    quiet: bool,
    pushes: bool,
    **without_effect: Any,
) -> None:
    """Build an image from the Dockerfile in the folder CONTEXT; options of caches and attestations have no effect."""
    if not context.is_dir():
        raise click.ClickException(f"path {str(context)!r} not found: the context must be a folder")
    if dockerfile is not None and dockerfile.resolve() != (context / "Dockerfile").resolve():
        raise click.ClickException(f"--file {dockerfile}: only the Dockerfile of the context itself is read here")
    if platform not in (None, "linux/amd64", "linux/arm64"):
        raise click.ClickException(f"--platform {platform}: images here are of linux/amd64 or linux/arm64")
    given = dict(_argument(argument) for argument in arguments)
    try:
        for tag in tags:
            record = daemon.build(tag, context, given)
            if not quiet:
                click.echo(f"naming to {tagged(tag)} done")
    except BuildRefused as error:
        raise click.ClickException(f"failed to build {tags[0]}: {error}") from error
    click.echo(f"sha256:{record.digest}" if quiet else f"writing image sha256:{record.digest} done")
    if pushes:
        for tag in tags:
            _push(daemon, tag)


def _argument(written: str) -> tuple[str, str]:
    name, given, value = written.partition("=")
    return name, value if given else os.environ.get(name, "")


@docker.command()
@click.argument("source")
@click.argument("target")
@click.pass_obj
def tag(daemon: Daemon, source: str, target: str) -> None:
    """Give an image of this build another name."""
    daemon.keep(target, daemon.find(source))


@docker.command()
@click.option("--quiet", "-q", is_flag=True)
@click.argument("name")
@click.pass_obj
def push(daemon: Daemon, name: str, quiet: bool) -> None:
    """Register an image of this build in its ECR repository."""
    _push(daemon, name)


def _push(daemon: Daemon, name: str) -> None:
    uri = tagged(name)
    record = daemon.find(uri)
    host = uri.partition("/")[0]
    if host not in _logins():
        raise click.ClickException(f"no basic auth credentials: log in to {host} with `docker login` first")
    try:
        digest = registry.push(uri, record)
    except registry.PushRefused as error:
        raise click.ClickException(str(error)) from error
    daemon.publish(uri, record)
    click.echo(f"The push refers to repository [{uri.rpartition(':')[0]}]")
    click.echo(f"{uri.rpartition(':')[2]}: digest: {digest}")


@docker.command()
@click.option("--quiet", "-q", is_flag=True)
@click.option("--platform", default=None)
@click.argument("name")
@click.pass_obj
def pull(daemon: Daemon, name: str, quiet: bool, platform: str | None) -> None:
    """Take an image that was pushed to this cloud."""
    record = daemon.pull(tagged(name))
    click.echo(name if quiet else f"Digest: sha256:{record.digest}\nStatus: Downloaded newer image for {tagged(name)}")


@docker.command()
@click.pass_obj
def images(daemon: Daemon) -> None:
    """The images of this build."""
    for name in daemon.tags():
        click.echo(f"{name.rpartition(':')[0]}\t{name.rpartition(':')[2]}\t{daemon.find(name).digest[:12]}")


def _inspect(daemon: Daemon, names: tuple[str, ...]) -> None:
    told = [(name, daemon.find(name)) for name in names]
    click.echo(
        json.dumps(
            [
                {
                    "Id": f"sha256:{record.digest}",
                    "RepoTags": [tagged(name)],
                    "Config": {
                        "Entrypoint": record.entrypoint,
                        "Cmd": record.cmd,
                        "Env": [f"{key}={value}" for key, value in record.environment.items()],
                        "WorkingDir": record.workdir,
                        "Labels": record.labels,
                    },
                }
                for name, record in told
            ],
            indent=4,
        )
    )


@docker.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def inspect(daemon: Daemon, names: tuple[str, ...]) -> None:
    """What an image of this build is, as JSON."""
    _inspect(daemon, names)


@docker.group()
def image() -> None:
    """`docker image inspect`."""


image.add_command(inspect)


@docker.group()
def buildx() -> None:
    """`docker buildx build`."""


buildx.add_command(build)


@docker.command()
def info() -> None:
    """What stands in for the daemon."""
    click.echo("Server: local-aws, which builds images without a container engine")


def _config() -> Path:
    return Path.home() / ".docker" / "config.json"


def _logins() -> dict[str, Any]:
    try:
        return dict(json.loads(_config().read_text()).get("auths", {}))
    except FileNotFoundError:
        return {}


if __name__ == "__main__":
    try:
        docker(prog_name="docker")
    except NoSuchImage as error:
        sys.exit(f"Error: {error}")
