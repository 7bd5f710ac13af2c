"""The sources of a build, brought into its folder: a zip in S3, an artifact of a pipeline, a commit of the git remote.

    <folder>/src                the primary source, CODEBUILD_SRC_DIR
    <folder>/src_<identifier>   a secondary one, CODEBUILD_SRC_DIR_<identifier>

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-multi-in-out.html
"""

from __future__ import annotations

import io
import json
import re
import stat
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.codebuild.failure import CLIENT_ERROR, PhaseFailed
from local_aws.errors import AwsError
from local_aws.git_remote import repository
from local_aws.iam import authorization

GIT = ("CODECOMMIT", "GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET", "GITLAB", "GITLAB_SELF_MANAGED")
_NAME = re.compile(r"^(?:https?|ssh)://(?:[^/@]*@)?[^/]+/(?:v1/repos/|git/)?(?P<name>.+?)(?:\.git)?/?$")


@dataclass(frozen=True)
class Source:
    """A source as a project or a pipeline names it; `identifier` is "" for the primary one."""

    identifier: str
    type: str
    location: str
    version: str


@dataclass(frozen=True)
class Downloaded:
    """Where a source is, and which commit or object version it turned out to be ("" where it has none)."""

    source: Source
    folder: Path
    resolved: str


def named(build: Mapping[str, Any]) -> list[Source]:
    """The sources of a build, the primary one first."""
    versions = {item["sourceIdentifier"]: item["sourceVersion"] for item in build.get("secondarySourceVersions", [])}
    primary = build["source"]
    return [
        Source("", primary["type"], primary.get("location", ""), build.get("sourceVersion", "")),
        *(
            Source(
                source["sourceIdentifier"],
                source["type"],
                source.get("location", ""),
                versions.get(source["sourceIdentifier"], ""),
            )
            for source in build.get("secondarySources", [])
        ),
    ]


def download(cloud: Cloud, source: Source, folder: Path, say: Callable[[str], None]) -> Downloaded:
    """Bring one source into a new folder below `folder`; raises `PhaseFailed` (CLIENT_ERROR)."""
    if source.location:
        say(f"Downloading {source.type} source {source.location} {source.version}".rstrip())
    place = folder / (f"src_{source.identifier}" if source.identifier else "src")
    place.mkdir()
    resolved = ""
    if source.type in GIT:
        resolved = _clone(cloud, _repository_name(source.location), source.version, place)
    elif source.type in ("S3", "CODEPIPELINE"):
        content, version = _object(cloud, source)
        resolved = _unpack(cloud, content, source, place) or (source.version or version)
    return Downloaded(source, place, resolved)


def _object(cloud: Cloud, source: Source) -> tuple[bytes, str]:
    bucket, _, key = source.location.removeprefix("arn:aws:s3:::").partition("/")
    version = {"VersionId": source.version} if source.type == "S3" and source.version else {}
    try:
        found = cloud.client("s3").get_object(Bucket=bucket, Key=key, **version)
    except (ClientError, AwsError) as error:
        raise PhaseFailed(CLIENT_ERROR, f"{error} for primary source s3://{bucket}/{key}") from error
    return found["Body"].read(), str(found.get("VersionId", "") if source.type == "S3" else "")


def _unpack(cloud: Cloud, content: bytes, source: Source, place: Path) -> str:
    """Unpack a zip, or clone what the JSON of a full clone names; the commit of a clone, else ""."""
    if content[:1] == b"{":
        try:
            reference = json.loads(content)
            return _clone(cloud, reference["FullRepositoryName"], reference["CommitId"], place)
        except (ValueError, KeyError) as error:
            raise PhaseFailed(CLIENT_ERROR, f"{source.location} is neither a zip nor a reference to clone") from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                _extract(archive, member, place)
    except (zipfile.BadZipFile, ValueError) as error:
        raise PhaseFailed(CLIENT_ERROR, f"source s3://{source.location} is no zip file: {error}") from error
    return ""


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    """Unpack one member with its mode, which says what is a program and what a link; raises `ValueError`.

    No name leads outside by itself, and none through a link, since no link does.
    """
    if member.filename.startswith("/") or ".." in PurePosixPath(member.filename).parts:
        raise ValueError(f"{member.filename!r} leads outside of the source")
    target = place / member.filename
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        leads_to = archive.read(member).decode()
        if not (target.parent / leads_to).resolve().is_relative_to(place.resolve()):
            raise ValueError(f"the link {member.filename!r} leads outside of the source")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(leads_to)
        return
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(archive.read(member))
    if mode & stat.S_IXUSR:
        target.chmod(0o755)


def _repository_name(location: str) -> str:
    match = _NAME.match(location)
    return match["name"] if match else location


def _clone(cloud: Cloud, name: str, version: str, place: Path) -> str:
    if not repository.exists(cloud, name):
        known = ", ".join(repository.names(cloud)) or "none"
        raise PhaseFailed(CLIENT_ERROR, f"there is no git repository {name} in local-aws (there are: {known})")
    if cloud.store.find("codecommit_repository", name) is not None:
        try:
            authorization.require(cloud, "codecommit:GitPull", cloud.arn(name, "codecommit"))
        except AwsError as error:
            raise PhaseFailed(CLIENT_ERROR, error.message) from error
    origin = repository.path(cloud, name)
    git = ["git", "-c", "advice.detachedHead=false", "-c", "safe.directory=*"]
    for command in (
        [*git, "clone", "--quiet", "--no-hardlinks", str(origin), str(place)],
        [*git, "-C", str(place), "checkout", "--quiet", version or "HEAD", "--"],
        [*git, "-C", str(place), "remote", "set-url", "origin", repository.url(cloud, name)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = done.stderr.strip().replace("\n", " ")
            raise PhaseFailed(CLIENT_ERROR, f"git of {name} at {version or 'HEAD'}: {reason}")
    done = subprocess.run([*git, "-C", str(place), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()
