"""The code of the jobs, shipped to S3 under the digest of its content: the same code has the same address.
Two parts, so that a change in training leaves the cached preparation valid: prepare.py, and the training tarball."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from model_build.errors import BuildError

SOURCE = Path(__file__).resolve().parent.parent / "source"
PREPARE = "prepare.py"
TARBALL = "sourcedir.tar.gz"
TRAINING_FILES = ("*.py", "*.yaml", "requirements.txt")


@dataclass(frozen=True)
class Code:
    """The bytes of both parts."""

    prepare: bytes
    training: bytes

    def prepare_uri(self, bucket: str) -> str:
        """The S3 prefix that holds prepare.py."""
        return f"s3://{bucket}/{_prefix(self.prepare)}"

    def train_uri(self, bucket: str) -> str:
        """The S3 prefix that holds the training tarball."""
        return f"s3://{bucket}/{_prefix(self.training)}"


def read_code(source: Path = SOURCE) -> Code:
    """Read the code of the jobs. Raises BuildError if it is not where it should be."""
    if not (source / PREPARE).is_file() or not (source / "train.py").is_file():
        raise BuildError(f"The code of the jobs is not at {source}: it needs {PREPARE} and train.py.")
    files = {path for pattern in TRAINING_FILES for path in source.glob(pattern)} - {source / PREPARE}
    return Code((source / PREPARE).read_bytes(), _tarball(sorted(files)))


def ship(s3: Any, bucket: str, code: Code) -> list[str]:
    """Upload what is not there yet; returns the keys that were new. Raises BuildError if the bucket refuses."""
    shipped = []
    for name, content in ((PREPARE, code.prepare), (TARBALL, code.training)):
        key = f"{_prefix(content)}/{name}"
        if put_once(s3, bucket, key, content):
            shipped.append(key)
    return shipped


def put_once(s3: Any, bucket: str, key: str, content: bytes) -> bool:
    """Upload an object unless one of that key exists; True if it was uploaded."""
    try:
        # Of a missing object S3 answers 403 to who may list only a prefix; a listing of that prefix answers truly.
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status != 404:
            raise BuildError(
                f"The bucket {bucket} refuses access ({status}): check its name and your rights."
            ) from error
        listed = []
    if any(item["Key"] == key for item in listed):
        return False
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    except ClientError as error:
        reason = error.response["Error"]
        raise BuildError(
            f"Cannot write to the bucket {bucket} ({reason['Code']}): create it, or name another by ARTIFACT_BUCKET."
        ) from error
    return True


def _prefix(content: bytes) -> str:
    return f"code/{hashlib.sha256(content).hexdigest()[:16]}"


def _tarball(files: list[Path]) -> bytes:
    """Pack files so that the same content gives the same bytes: no times, no owners, fixed order."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in files:
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()
