"""The artifact bucket, where SageMaker fetches the model package from.
A package goes up once; one that is there already is shown to be what its key says."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from model_deploy.errors import DeploymentError
from model_deploy.package import Package, contents_digest

_SHA256 = "sha256"


def ship_package(s3: Any, bucket: str, key: str, package: Package) -> bool:
    """Put a package in the bucket unless it is there; True if it went up.

    Raises:
        DeploymentError: the bucket does not exist or is closed to us, or holds something else under this key.
    """
    found = _head(s3, bucket, key)
    if found is not None:
        _refuse_another(s3, bucket, key, package, found)
        return False
    s3.upload_file(str(package.path), bucket, key, ExtraArgs={"Metadata": {_SHA256: package.sha256}})
    stored = _head(s3, bucket, key)
    if stored is None or not _says_the_same(stored, package):
        raise DeploymentError(
            f"s3://{bucket}/{key} was uploaded with {package.size} bytes and SHA-256 {package.sha256}, but is not "
            "there in that form. Remove it and deploy again."
        )
    return True


def _head(s3: Any, bucket: str, key: str) -> Mapping[str, Any] | None:
    try:
        # Of a missing object S3 answers 403 to who may list only a prefix; a listing of that prefix answers truly.
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        if not any(item["Key"] == key for item in listed):
            return None
        return s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise DeploymentError(
                f"ARTIFACT_BUCKET is {bucket!r}, and there is no such bucket for this account. Create it or correct it."
            ) from error
        if code in ("403", "AccessDenied", "Forbidden"):
            raise DeploymentError(
                f"S3 refuses access to s3://{bucket}/{key}. Give this role s3:GetObject, s3:PutObject and "
                "s3:ListBucket on the artifact bucket, or correct ARTIFACT_BUCKET."
            ) from error
        raise


def _says_the_same(found: Mapping[str, Any], package: Package) -> bool:
    # Metadata travels as headers, whose names have no case of their own.
    metadata = {name.lower(): value for name, value in found["Metadata"].items()}
    return found["ContentLength"] == package.size and metadata.get(_SHA256) == package.sha256


def _refuse_another(s3: Any, bucket: str, key: str, package: Package, found: Mapping[str, Any]) -> None:
    if _says_the_same(found, package):
        return
    # Another build of zlib may have pressed the same contents into other bytes: only the contents can tell.
    try:
        digest = contents_digest(s3.get_object(Bucket=bucket, Key=key)["Body"])
        what = f"its contents have the digest {digest}"
    except DeploymentError as error:
        digest, what = "", str(error)
    if digest != package.digest:
        raise DeploymentError(
            f"s3://{bucket}/{key} is not the model package its key names: {what}. Find out who wrote it, remove it and "
            "deploy again."
        )
