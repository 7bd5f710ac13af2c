"""What a build may find again in the next one: the paths of the buildspec's cache, kept in S3 or under the home.

    S3      s3://<location>/<namespace or project>/<key>.tar.gz     an archive of the files
    LOCAL   home/builds/cache/<project>/<key>.tar.gz                the same, on this machine

A path under /root is taken as one in the build's home. Only a build that succeeded is worth keeping, and only when its
files are others than those it found.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws import archives
from local_aws.cloud import Cloud
from local_aws.codebuild.artifacts import matching
from local_aws.codebuild.buildspec import CacheSpec
from local_aws.errors import AwsError

_DEFAULT_KEY = "cache"
_CUSTOM = "LOCAL_CUSTOM_CACHE"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """The folders that cached files may lie in, by the names they have in the archive."""

    source: Path
    home: Path

    def pattern(self, path: str) -> str:
        for prefix in ("/root/", "~/", "$HOME/"):
            if path.startswith(prefix):
                return f"{self.home}/{path.removeprefix(prefix)}"
        return path

    def name(self, path: Path) -> str | None:
        for name, folder in (("src", self.source), ("home", self.home)):
            if path.is_relative_to(folder):
                return f"{name}/{path.relative_to(folder).as_posix()}"
        return None


class Cache:
    """The cache of one build. `config` is the project's ProjectCache; without a kind of it, nothing is kept."""

    def __init__(self, cloud: Cloud, project: str, config: Mapping[str, Any], spec: CacheSpec, place: Place) -> None:
        self._cloud, self._project, self._config, self._spec, self._place = cloud, project, config, spec, place
        kind = config.get("type", "NO_CACHE")
        self._in_s3 = kind == "S3"
        self._wanted = bool(spec.paths) and (self._in_s3 or (kind == "LOCAL" and _CUSTOM in config.get("modes", [])))
        self._found = ""

    def restore(self, expand: Callable[[str], str], say: Say) -> None:
        """Bring back what an earlier build left, under the key or the first of its fallbacks that there is."""
        if not (self._wanted and self._spec.restore):
            return
        for key in (expand(self._spec.key) or _DEFAULT_KEY, *map(expand, self._spec.fallback_keys)):
            content = self._read(key)
            if content is None:
                continue
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
                for member in archive:
                    top, _, rest = member.name.partition("/")
                    member.name = rest
                    archives.extract(archive, member, self._place.source if top == "src" else self._place.home)
            self._found = _digest(self._files())
            say(f"Restored {len(self._files())} file(s) of the cache {key}")
            return
        say("No cache to restore")

    def save(self, expand: Callable[[str], str], say: Say) -> None:
        """Keep the files as they are now, where they are not those that were restored."""
        if not (self._wanted and self._spec.save):
            return
        files = self._files()
        if not files or _digest(files) == self._found:
            say("The cache has not changed")
            return
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
            for name, path in files.items():
                archive.add(path, name, recursive=False)
        key = expand(self._spec.key) or _DEFAULT_KEY
        self._write(key, buffer.getvalue(), say)
        say(f"Kept {len(files)} file(s) in the cache {key}")

    def _files(self) -> dict[str, Path]:
        paths = matching(self._place.source, tuple(self._place.pattern(path) for path in self._spec.paths))
        return {name: path for path in paths if (name := self._place.name(path)) is not None}

    def _s3_place(self, key: str) -> tuple[str, str]:
        bucket, _, prefix = self._config["location"].removeprefix("arn:aws:s3:::").partition("/")
        namespace = self._config.get("cacheNamespace") or self._project
        return bucket, "/".join(part for part in (prefix.strip("/"), namespace, f"{key}.tar.gz") if part)

    def _file(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        return self._cloud.settings.home / "builds" / "cache" / self._project / f"{name}.tar.gz"

    def _read(self, key: str) -> bytes | None:
        if not self._in_s3:
            file = self._file(key)
            return file.read_bytes() if file.exists() else None
        bucket, name = self._s3_place(key)
        client = self._cloud.client("s3")
        try:
            return bytes(client.get_object(Bucket=bucket, Key=name)["Body"].read())
        except client.exceptions.NoSuchKey:
            return None
        except (ClientError, AwsError) as error:
            raise CacheRefused(f"Unable to download cache: {error}") from error

    def _write(self, key: str, content: bytes, say: Say) -> None:
        if self._in_s3:
            bucket, name = self._s3_place(key)
            try:
                self._cloud.client("s3").put_object(Bucket=bucket, Key=name, Body=content)
            except (ClientError, AwsError) as error:
                raise CacheRefused(f"Unable to upload cache: {error}") from error
            return
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{id(self)}")
        draft.write_bytes(content)
        draft.replace(file)


class CacheRefused(Exception):
    """A cache that cannot be read or written; the build goes on without, and its log says why."""


def drop(cloud: Cloud, project: str) -> None:
    """Forget what builds of a project have kept on this machine."""
    folder = cloud.settings.home / "builds" / "cache" / project
    for file in folder.glob("*"):
        file.unlink()


def _digest(files: Mapping[str, Path]) -> str:
    told = [f"{name} {path.lstat().st_size} {int(path.lstat().st_mtime)}" for name, path in sorted(files.items())]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
