"""Model data: the artifacts in S3 that a container finds under /opt/ml/model, brought there and unpacked safely.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws import archives
from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.sagemaker import s3_io

_MOST_BYTES = 20 * 1024**3


class ModelDataRefused(Exception):
    """Model data that cannot be had or must not be unpacked; the message is a FailureReason."""


@dataclass(frozen=True)
class ModelData:
    """Where the artifacts lie: one gzipped tar (`archive`), or objects that are taken as they are."""

    uri: str
    archive: bool = True

    @classmethod
    def of(cls, container: dict[str, Any]) -> ModelData | None:
        """The ModelDataUrl or ModelDataSource of a container definition; None where it has neither.

        Raises `AwsError` (ValidationException) for sources that are contradictory or not carried out here.
        """
        source = container.get("ModelDataSource", {}).get("S3DataSource")
        if source is None:
            return cls(container["ModelDataUrl"]) if container.get("ModelDataUrl") else None
        if container.get("ModelDataUrl"):
            raise validation_error("You can only provide one of ModelDataUrl and ModelDataSource.")
        refused = sorted({"HubAccessConfig", "ManifestS3Uri"} & set(source))
        if refused:
            raise validation_error(f"{', '.join(refused)} of ModelDataSource is not carried out by local-aws.")
        if source["CompressionType"] == "Gzip" and source["S3DataType"] == "S3Prefix":
            raise validation_error(
                "S3DataType S3Prefix needs CompressionType None: a compressed model is one S3Object."
            )
        return cls(source["S3Uri"], archive=source["CompressionType"] == "Gzip")

    def check(self, cloud: Cloud) -> None:
        """See that something is there, as CreateModel does; raises `AwsError` (ValidationException)."""
        where = s3_io.Location.parse(self.uri)
        s3 = cloud.client("s3")
        try:
            if self.archive:
                s3.head_object(Bucket=where.bucket, Key=where.key)
                return
            found = s3.list_objects_v2(Bucket=where.bucket, Prefix=where.key, MaxKeys=1)
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                raise validation_error(f"Could not find model data at {self.uri}.") from error
            action = "s3:GetObject" if self.archive else "s3:ListBucket"
            reason = s3_io.why_refused(cloud, error, action, where)
            raise validation_error(
                f"Could not access model data at {self.uri}. Please ensure that the role of the model has "
                f'"{action}" permissions and that the object is located in {cloud.settings.region}. {reason}'
            ) from error
        if not found.get("Contents"):
            raise validation_error(f"Could not find model data at {self.uri}.")

    def bring(self, cloud: Cloud, folder: Path, scratch: Path) -> None:
        """Put the artifacts into `folder`, by way of `scratch`; raises `ModelDataRefused`."""
        try:
            if not self.archive:
                s3_io.download(cloud, self.uri, folder)
                return
            s3_io.download_object(cloud, self.uri, scratch)
        except s3_io.DownloadFailed as error:
            raise ModelDataRefused(
                f'Failed to download model data from URL: "{self.uri}". Please ensure that there is an object located '
                f"at the URL and that the role passed to CreateModel has permissions to download the object. {error}"
            ) from error
        archive = scratch / self.uri.rpartition("/")[2]
        try:
            unpack(archive, folder)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ModelDataRefused(
                f'Failed to extract model data archive from URL "{self.uri}". Please ensure that the object located at '
                f"the URL is a valid tar.gz archive. {type(error).__name__}: {error}"
            ) from error
        finally:
            archive.unlink(missing_ok=True)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a gzipped tar into `folder`.

    Raises `tarfile.TarError` for members that would land outside of it, links that lead there, and special files, and
    for an archive that grows beyond 20 GB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "r:gz") as tar:
        total = 0
        for member in tar:
            total += member.size
            if total > _MOST_BYTES:
                raise tarfile.TarError(f"the archive unpacks to more than {_MOST_BYTES} bytes")
            archives.extract(tar, member, folder)
