"""Images: what an image URI stands for on this machine, an interpreter with files, variables and an entry point.
Prebuilt scikit-learn images are this environment's Python; all others are made by `local-aws build-image`.

    home/images/uris/<sha256 of the URI>.json   {"uri": ..., "digest": ...}, like a tag in a registry
    home/images/<digest>/image.json             ImageRecord
    home/images/<digest>/root                   the files that the Dockerfile copied, at their paths in the container
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws.errors import validation_error

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

SCIKIT_LEARN = "scikit-learn"
BUILT = "built"

# https://docs.aws.amazon.com/sagemaker/latest/dg/pre-built-docker-containers-scikit-learn-spark.html
PREBUILT = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/sagemaker-scikit-learn:[\w.-]+")
_REPOSITORY = re.compile(r"(?:[^/]*/)*[^:@/]*")
_PINNED = re.compile(r".+@sha256:(?P<digest>[0-9a-f]{64})")


@dataclass(frozen=True)
class Image:
    """An image as its containers need it.

    `python` is the interpreter on this machine, whose folder comes first on the container's PATH. `entrypoint`, `cmd`,
    `environment`, `workdir` are those of the Dockerfile. `folders` are the absolute paths in the container that the
    image brings, each of which lies at `root / path` here; `root` is None where it brings none. `kind` is
    "scikit-learn" for the prebuilt images and "built" for those of `local-aws build-image`, which have a `digest`.
    """

    uri: str
    kind: str
    python: Path
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str | None = None
    root: Path | None = None
    folders: tuple[str, ...] = ()
    digest: str | None = None

    @property
    def pinned(self) -> str:
        """The URI that names these very contents, whatever its tag comes to name later."""
        if self.digest is None:
            return self.uri
        return f"{_REPOSITORY.match(self.uri)[0]}@sha256:{self.digest}"  # type: ignore[index]

    @property
    def binds(self) -> tuple[tuple[str, str], ...]:
        """(folder on this machine, path in the container) of everything the image brings."""
        if self.root is None:
            return ()
        return tuple((str(self.root / folder.lstrip("/")), folder) for folder in self.folders)


@dataclass(frozen=True)
class ImageRecord:
    """What `image.json` of a built image holds.

    The fields are those of `Image`; `labels`, `exposed`, `user` and `healthcheck` are kept to be read, and do nothing.
    """

    digest: str
    python: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    environment: dict[str, str]
    workdir: str
    folders: tuple[str, ...]
    labels: dict[str, str]
    exposed: tuple[str, ...]
    user: str | None
    healthcheck: str | None


class ImageFolder:
    """The images that were built under one home; a process without a server may add to it."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "images"

    def root(self, digest: str) -> Path:
        return self.folder / digest / "root"

    def keep(self, uri: str, record: ImageRecord) -> None:
        """Write down a record whose files are in place, and let `uri` name it from now on."""
        _write(self.folder / record.digest / "image.json", asdict(record))
        _write(self._tag(uri), {"uri": uri, "digest": record.digest})

    def find(self, uri: str) -> ImageRecord | None:
        """The image that a URI with a tag or a digest (`...@sha256:...`) names, or None."""
        pinned = _PINNED.fullmatch(uri)
        digest = pinned["digest"] if pinned else (_read(self._tag(uri)) or {}).get("digest")
        found = _read(self.folder / digest / "image.json") if digest else None
        if found is None:
            return None
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
        }
        return ImageRecord(**fields)

    def uris(self) -> list[str]:
        """Every URI that names an image here, in alphabetical order."""
        return sorted(json.loads(path.read_text())["uri"] for path in (self.folder / "uris").glob("*.json"))

    def forget(self, prefix: str) -> None:
        """Let the URIs that begin with `prefix` name nothing any more; what they named stays."""
        for uri in self.uris():
            if uri.startswith(prefix):
                self._tag(uri).unlink(missing_ok=True)

    def _tag(self, uri: str) -> Path:
        return self.folder / "uris" / f"{hashlib.sha256(uri.encode()).hexdigest()}.json"


def resolve(cloud: Cloud, uri: str) -> Image:
    """The image that a URI names.

    Raises `AwsError` (ValidationException) when nothing on this machine can run it.
    """
    if PREBUILT.fullmatch(uri):
        return Image(uri=uri, kind=SCIKIT_LEARN, python=Path(sys.executable))
    images = ImageFolder(cloud.settings.home)
    record = images.find(uri)
    if record is None:
        built = ", ".join(images.uris()) or "none"
        raise validation_error(
            f"Image {uri} cannot be run here: it is no prebuilt scikit-learn image, and none of that name was built "
            f"(built here: {built}). Build it with: local-aws build-image --home {cloud.settings.home} --tag {uri} "
            "<folder with a Dockerfile>"
        )
    python = Path(record.python)
    if not python.exists():
        raise validation_error(f"Image {uri} was built for {python}, which is gone: build the image anew.")
    return Image(
        uri=uri,
        kind=BUILT,
        python=python,
        entrypoint=record.entrypoint,
        cmd=record.cmd,
        environment=record.environment,
        workdir=record.workdir,
        root=images.root(record.digest),
        folders=record.folders,
        digest=record.digest,
    )


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2))
    draft.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
