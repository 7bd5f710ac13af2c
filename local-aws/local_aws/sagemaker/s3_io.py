"""Between S3 and a container's folders: channels and inputs come down, models and outputs go up."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.iam import authorization, bucket_policies


class DownloadFailed(Exception):
    """S3 does not have what a job was told to read; the message is worded as SageMaker's failure reason."""


class UploadFailed(Exception):
    """S3 does not take what a job made; the message is worded as SageMaker's failure reason."""


@dataclass(frozen=True)
class Location:
    """`s3://bucket/key`, where the key may be a prefix or empty."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Location:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key)


def is_address(uri: str) -> bool:
    """Whether a URI is `s3://bucket` or `s3://bucket/key`."""
    return uri.startswith("s3://") and Location.parse(uri).bucket != ""


@dataclass(frozen=True)
class Shard:
    """Which part of the objects this host gets: every `of`-th, beginning with `index` (ShardedByS3Key)."""

    index: int = 0
    of: int = 1


def download(cloud: Cloud, uri: str, folder: Path, shard: Shard = Shard(), *, gunzip: bool = False) -> int:
    """Bring an object, or every object under a prefix, into `folder`; answers how many bytes.

    An object that `uri` names exactly becomes a file of its last name; objects under a prefix keep their path below it.
    Raises `DownloadFailed` where there is none, or no bucket, and where an object cannot become a file.
    """
    if not is_address(uri):
        raise DownloadFailed(f"ClientError: Data download failed: {uri} is no S3 address; only s3:// URIs are read")
    where = Location.parse(uri)
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for index, (key, relative) in enumerate(_objects(cloud, uri, where)):
        if index % shard.of != shard.index:
            continue
        target = folder / relative
        if not target.resolve().is_relative_to(folder.resolve()):
            raise DownloadFailed(f"ClientError: Data download failed: the key {key!r} leads outside of its channel")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(cloud, Location(where.bucket, key), target)
            if gunzip and target.suffix == ".gz":
                target = _gunzipped(target)
            total += target.stat().st_size
        except (FileExistsError, NotADirectoryError) as error:
            raise DownloadFailed(
                f"ClientError: Data download failed: the key {key!r} needs a folder where another key or "
                "input has a file"
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DownloadFailed(f"ClientError: Data download failed: the key {key!r}: {reason}") from error
    return total


def download_object(cloud: Cloud, uri: str, folder: Path) -> None:
    """Bring the one object that `uri` names into `folder`, under its last name, without looking at what else there is.

    Raises `DownloadFailed`.
    """
    where = Location.parse(uri)
    if not is_address(uri) or not where.key or where.key.endswith("/"):
        raise DownloadFailed(f"ClientError: Data download failed: {uri} is no address of an object in S3")
    folder.mkdir(parents=True, exist_ok=True)
    _fetch(cloud, where, folder / where.key.rpartition("/")[2])


def why_refused(cloud: Cloud, error: ClientError, action: str, where: Location) -> str:
    """What S3 said in refusing `action` ("s3:GetObject").

    Its answer to HEAD has no words, so that of the policies is asked for again.
    """
    if error.response["Error"]["Code"] == "403":
        arn = f"arn:aws:s3:::{where.bucket}/{where.key}"
        try:
            authorization.require(cloud, action, arn, resource_policies=bucket_policies.of_resource(arn))
        except AwsError as denied:
            return denied.message
    return str(error)


def _fetch(cloud: Cloud, where: Location, target: Path) -> None:
    try:
        cloud.client("s3").download_file(where.bucket, where.key, str(target))
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            raise _nothing_at(cloud, f"s3://{where.bucket}/{where.key}") from error
        reason = why_refused(cloud, error, "s3:GetObject", where)
        raise DownloadFailed(f"ClientError: Data download failed: the key {where.key!r}: {reason}") from error


def _nothing_at(cloud: Cloud, uri: str) -> DownloadFailed:
    return DownloadFailed(
        f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({cloud.settings.region}) and that objects "
        "exist under that S3 prefix"
    )


def upload_folder(cloud: Cloud, folder: Path, uri: str) -> None:
    """Put every file under `folder` below a prefix; raises `UploadFailed`."""
    where = Location.parse(uri)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        key = str(PurePosixPath(where.key) / path.relative_to(folder).as_posix())
        _upload(cloud, path, Location(where.bucket, key))


def upload_tar(cloud: Cloud, folders: list[Path], uri: str, scratch: Path) -> None:
    """Put the contents of folders (one for each host) as one gzipped tar; raises `UploadFailed`."""
    archive = scratch / "upload.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for folder in folders:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
    try:
        _upload(cloud, archive, Location.parse(uri))
    finally:
        archive.unlink()


def _upload(cloud: Cloud, path: Path, where: Location) -> None:
    try:
        cloud.client("s3").upload_file(str(path), where.bucket, where.key)
    except Exception as error:
        raise UploadFailed(f"ClientError: Artifact upload failed: s3://{where.bucket}/{where.key}: {error}") from error


def _objects(cloud: Cloud, uri: str, where: Location) -> Iterator[tuple[str, str]]:
    """The keys that a URI means, each with its path below the folder it is brought to."""
    try:
        pages = cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=where.bucket, Prefix=where.key)
        keys = [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    except ClientError as error:
        raise DownloadFailed(
            f"ClientError: Data download failed: {error.response['Error']['Message']} ({uri})"
        ) from error
    if where.key in keys:
        keys = [where.key]
    if not keys:
        raise _nothing_at(cloud, uri)
    for key in keys:
        under = key[len(where.key) :]
        if key != where.key and (where.key.endswith("/") or not where.key or under.startswith("/")):
            yield key, under.lstrip("/")
        else:
            yield key, key[where.key.rfind("/") + 1 :]


def _gunzipped(path: Path) -> Path:
    target = path.with_suffix("")
    with gzip.open(path, "rb") as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    path.unlink()
    return target
