"""What a build leaves behind: the files that the buildspec names, as a zip or as objects in S3.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.artifacts
"""

from __future__ import annotations

import hashlib
import io
import mimetypes
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from wcmatch import glob

from local_aws.cloud import Cloud
from local_aws.codebuild.buildspec import ArtifactSpec, Buildspec
from local_aws.codebuild.failure import CLIENT_ERROR, PhaseFailed
from local_aws.errors import AwsError

_GLOB = glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE
Say = Callable[[str], None]


@dataclass(frozen=True)
class Destination:
    """Where an artifact goes; `key` is of one object for ZIP packaging, else a prefix. `identifier` "" is the primary.

    `rename` is whether the buildspec's `name` takes the place of the last part of `key`.
    """

    identifier: str
    bucket: str
    key: str
    zipped: bool
    rename: bool = False


@dataclass(frozen=True)
class Uploaded:
    """What BatchGetBuilds says of an artifact: its ARN, and the digests of its zip."""

    identifier: str
    location: str
    sha256: str
    md5: str

    def told(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The member of the build that this artifact changes, after what was said `before` of others."""
        told = {"location": self.location, "sha256sum": self.sha256, "md5sum": self.md5}
        told = {name: value for name, value in told.items() if value}
        if not self.identifier:
            return {"artifacts": told}
        return {
            "secondaryArtifacts": [
                *before.get("secondaryArtifacts", []),
                {**told, "artifactIdentifier": self.identifier},
            ]
        }


def matching(
    root: Path, patterns: tuple[str, ...], exclude: tuple[str, ...] = (), say: Say | None = None
) -> list[Path]:
    """The files under `root` (or anywhere, for an absolute pattern) that the patterns name, without repetition."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        if say:
            say(f"Expanding {pattern}")
        place = pattern if pattern.startswith("/") else f"{glob.escape(str(root))}/{pattern.removeprefix('./')}"
        paths = [Path(path) for path in sorted(glob.glob(place, flags=_GLOB | glob.NODIR))]
        if not paths and say:
            say(f"Skipping invalid file path {pattern}")
        found.update(dict.fromkeys(paths))
    excluded = [pattern.removeprefix("./") for pattern in exclude]
    return [
        path
        for path in found
        if not (
            excluded
            and path.is_relative_to(root)
            and glob.globmatch(str(path.relative_to(root)), excluded, flags=_GLOB)
        )
    ]


def destinations(build: Mapping[str, Any]) -> list[Destination]:
    """Where the artifacts of a project of its own go; a pipeline's builds are told theirs (`_outputs`)."""
    if "_outputs" in build:
        outputs = build["_outputs"]
        return [
            Destination("" if len(outputs) == 1 else item["name"], item["bucket"], item["key"], True)
            for item in outputs
        ]
    wanted = [build["_artifacts"], *build.get("_secondaryArtifacts", [])]
    return [_destination(item, build["id"]) for item in wanted if item["type"] == "S3"]


def _destination(artifacts: Mapping[str, Any], build_id: str) -> Destination:
    name = artifacts.get("name", "")
    parts = [artifacts.get("path", "").strip("/")]
    if artifacts.get("namespaceType") == "BUILD_ID":
        parts.append(build_id.rpartition(":")[2])
    parts.append("" if name == "/" else name)
    return Destination(
        artifacts.get("artifactIdentifier", ""),
        artifacts["location"].removeprefix("arn:aws:s3:::"),
        "/".join(part for part in parts if part),
        artifacts.get("packaging") == "ZIP",
        artifacts.get("overrideArtifactName", False),
    )


def upload(
    cloud: Cloud,
    buildspec: Buildspec,
    wanted: Destination,
    source: Path,
    expand: Callable[[str], str],
    say: Say,
) -> Uploaded:
    """Collect one artifact and put it to S3; raises `PhaseFailed` (CLIENT_ERROR)."""
    spec = buildspec.secondary_artifacts.get(wanted.identifier) if wanted.identifier else buildspec.artifact
    if spec is None:
        section = f"artifacts.secondary-artifacts.{wanted.identifier}" if wanted.identifier else "artifacts"
        raise PhaseFailed(CLIENT_ERROR, f"no definition of the artifact in the buildspec: it has no {section}")
    files = collected(spec, source, expand, say)
    key = wanted.key
    if wanted.rename and spec.name:
        key = "/".join((*key.split("/")[:-1], expand(spec.name)))
    try:
        if wanted.zipped:
            content = _zip(files, spec.keep_symlinks)
            cloud.client("s3").put_object(Bucket=wanted.bucket, Key=key, Body=content, ContentType="application/zip")
            digests = hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
        else:
            for name, path in files.items():
                kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
                place = f"{key}/{name}" if key else name
                cloud.client("s3").put_object(Bucket=wanted.bucket, Key=place, Body=path.read_bytes(), ContentType=kind)
            digests = "", ""
    except (ClientError, AwsError) as error:
        raise PhaseFailed(CLIENT_ERROR, f"{error} (s3://{wanted.bucket}/{key})") from error
    return Uploaded(wanted.identifier, f"arn:aws:s3:::{wanted.bucket}/{key}", *digests)


def collected(spec: ArtifactSpec, source: Path, expand: Callable[[str], str], say: Say) -> dict[str, Path]:
    """The files of an artifact by the names they have in it; raises `PhaseFailed` where there are none."""
    base = expand(spec.base_directory) or "."
    say(f"Expanding base directory path: {base}")
    root = (source / base).resolve()
    if not root.is_dir():
        raise PhaseFailed(CLIENT_ERROR, f"no matching base directory path found for {base}")
    say(f"Expanding file paths for base directory {base}")
    paths = matching(root, tuple(expand(pattern) for pattern in spec.files), spec.exclude, say)
    if not paths:
        raise PhaseFailed(CLIENT_ERROR, "no matching artifact paths found")
    say(f"Found {len(paths)} file(s)")
    files: dict[str, Path] = {}
    for path in paths:
        inside = path.is_relative_to(root) and not spec.discard_paths
        files[path.relative_to(root).as_posix() if inside else path.name] = path
    return files


def _zip(files: Mapping[str, Path], keep_symlinks: bool) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
        for name, path in files.items():
            if keep_symlinks and path.is_symlink():
                link = zipfile.ZipInfo(name)
                link.external_attr = 0o120777 << 16
                archive.writestr(link, str(path.readlink()))
            else:
                archive.write(path, name)
    return buffer.getvalue()
