"""What a build sees of this machine: its own home and sources, and this environment's Python to do with as it likes.

    home/builds/<build>/home            HOME
    home/builds/<build>/bin             programs that come first on PATH
    home/builds/<build>/overlay/<n>     what the build changes in the folders of the interpreter, seen by it alone
    home/builds/<build>/python          where there are no overlays: a copy of the environment, by hard links

The image `aws/codebuild/...` stands for this environment's Python; others must have been made by `local-aws
build-image`.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uv

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.images import Image
from local_aws.processes.keeper import ProcessSpec, Running

_CURATED = re.compile(r"aws/codebuild/[\w.-]+:[\w.-]+")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches package indexes belongs to it, not to whoever starts a build.
_NETWORK = ("PIP_", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_FIND_LINKS", "UV_OFFLINE")
_NETWORK_EXACT = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip


def image(cloud: Cloud, uri: str) -> Image:
    """The image of a build by its URI; raises `AwsError` where nothing on this machine can stand for it."""
    if _CURATED.fullmatch(uri):
        return Image(uri=uri, kind="codebuild", python=Path(sys.executable))
    if uri.startswith("aws/codebuild/"):
        raise AwsError(
            "InvalidInputException", f"{uri} is no image of CodeBuild: write aws/codebuild/<image>:<version>"
        )
    return images.resolve(cloud, uri)


class Room:
    """The place of one build; `folder` is its own and is there already. `docker` is whether it may build images."""

    def __init__(self, cloud: Cloud, image: Image, folder: Path, docker: bool) -> None:
        self._cloud, self._image, self.folder = cloud, image, folder
        for name in ("home", "tmp", "bin", "overlay"):
            (folder / name).mkdir()
        self._python = image.python
        self._overlays: tuple[tuple[str, str, str], ...] = ()
        if overlays_work(cloud):
            self._overlays = tuple(self._overlay(place) for place in self._covered())
        else:
            self._python = _copied(image.python.parent.parent, folder / "python") / "bin" / image.python.name
        self._programs(docker)

    def environment(self) -> dict[str, str]:
        """The variables that the room itself gives to every process."""
        inherited = {
            name: value for name, value in os.environ.items() if name in _NETWORK_EXACT or name.startswith(_NETWORK)
        }
        settings = Path.home() / ".config" / "pip" / "pip.conf"
        if settings.is_file():
            inherited.setdefault("PIP_CONFIG_FILE", str(settings))
        path = self._image.environment.get("PATH", _SYSTEM_PATH)
        return {
            **inherited,
            **self._image.environment,
            "PATH": f"{self.folder / 'bin'}:{self._python.parent}:{path}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "PYTHONUNBUFFERED": "1",
            "UV_CACHE_DIR": str(_uv_cache()),
            "UV_LINK_MODE": "copy",
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def start(self, name: str, argv: list[str], environment: Mapping[str, str], cwd: str, output: Path) -> Running:
        """Start a process in the room."""
        binds = self._image.binds if self._cloud.keeper.has_rooms else ()
        return self._cloud.keeper.start(
            ProcessSpec(name, argv, dict(environment), cwd, output, binds=binds, overlays=self._overlays)
        )

    def _covered(self) -> list[Path]:
        """The folders that are seen copy-on-write: the environment, the Python below it, and uv's cache."""
        prefix = self._image.python.parent.parent
        wanted = [prefix, Path(sys.base_prefix), Path(sys.prefix), _uv_cache()]
        chosen: list[Path] = []
        for place in wanted:
            inside_another = any(place != other and place.is_relative_to(other) for other in wanted)
            # What lies inside of another covered folder is covered with it; what holds this very room is not covered.
            if place.is_dir() and not self.folder.is_relative_to(place) and place not in chosen and not inside_another:
                chosen.append(place)
        return chosen

    def _overlay(self, place: Path) -> tuple[str, str, str]:
        number = len(list((self.folder / "overlay").iterdir()))
        upper, work = (self.folder / "overlay" / str(number) / name for name in ("upper", "work"))
        upper.mkdir(parents=True)
        work.mkdir()
        return str(place), str(upper), str(work)

    def _programs(self, docker: bool) -> None:
        own = {
            **dict.fromkeys(("python", "python3"), f'exec "{self._python}" "$@"'),
            **dict.fromkeys(("pip", "pip3"), f'exec "{self._python}" -m pip "$@"'),
            "uv": f'exec "{uv.find_uv_bin()}" "$@"',
        }
        for name, line in own.items():
            if not (self._python.parent / name).exists():
                _script(self.folder / "bin" / name, line)
        daemon = [f'exec "{sys.executable}" -I -m local_aws.codebuild.docker "{self._cloud.settings.home}" "$@"']
        without = [
            'echo "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon '
            'running? (The project is not in privileged mode.)" >&2',
            "exit 1",
        ]
        _script(
            self.folder / "bin" / "codebuild-hash-files",
            '[ $# -gt 0 ] || { echo "usage: codebuild-hash-files FILE..." >&2; exit 2; }',
            'cat -- "$@" | sha256sum | cut -d " " -f 1',
        )
        _script(self.folder / "bin" / "docker", *(daemon if docker else without))


def remove(folder: Path) -> None:
    """Delete the folder of a room, also what only the work folder of an overlay may hold."""

    def open_up(function: Callable[..., Any], path: str, _: object) -> None:
        Path(path).chmod(stat.S_IRWXU)
        function(path)

    for work in folder.glob("overlay/*/work/*"):
        work.chmod(stat.S_IRWXU)
    if folder.exists():
        shutil.rmtree(folder, onerror=open_up)


@functools.cache
def overlays_work(cloud: Cloud) -> bool:
    """Whether processes here can be given overlays; tried once, with a process that does nothing."""
    if not cloud.keeper.has_rooms or os.environ.get("LOCAL_AWS_OVERLAYS") == "off":
        return False
    folder = cloud.settings.home / "builds" / ".overlay"
    shutil.rmtree(folder, ignore_errors=True)
    lower, upper, work = (folder / name for name in ("lower", "upper", "work"))
    for place in (lower, upper, work):
        place.mkdir(parents=True)
    spec = ProcessSpec(
        "overlays", ["/bin/sh", "-c", "echo > seen"], {}, str(lower), folder / "log",
        overlays=((str(lower), str(upper), str(work)),),
    )  # fmt: skip
    return cloud.keeper.start(spec).wait(20) == 0 and not (lower / "seen").exists() and (upper / "seen").exists()


def _uv_cache() -> Path:
    """Where uv keeps what it has downloaded: https://docs.astral.sh/uv/concepts/cache/#cache-directory"""
    told = os.environ.get("UV_CACHE_DIR")
    return Path(told) if told else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"


def _script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)


def _copied(prefix: Path, folder: Path) -> Path:
    """A copy of an environment whose programs use it and not the one they were copied from."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    shutil.copytree(prefix, folder, symlinks=True, copy_function=link)
    old = f"#!{prefix}/bin/".encode()
    for program in (folder / "bin").iterdir():
        if program.is_symlink() or not program.is_file():
            continue
        content = program.read_bytes()
        if content.startswith(old):
            program.unlink()
            program.write_bytes(content.replace(old, f"#!{folder}/bin/".encode(), 1))
            program.chmod(0o755)
    return folder
