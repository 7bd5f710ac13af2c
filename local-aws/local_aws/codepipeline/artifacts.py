"""Artifacts of an execution: zips in the bucket of the pipeline, written and read with the role that acts.

s3://<bucket>/<first 20 characters of the pipeline>/<first 10 of the artifact>/<7 random characters>
"""

from __future__ import annotations

import io
import random
import string
import zipfile
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.codepipeline.actions.protocol import ActionFailed, Artifact

_RANDOM = random.SystemRandom()
_LETTERS = string.ascii_letters + string.digits


def place(pipeline: str, bucket: str, name: str) -> Artifact:
    """Where an action is to put an artifact that it makes."""
    unique = "".join(_RANDOM.choices(_LETTERS, k=7))
    return Artifact(name, bucket, f"{pipeline[:20]}/{name[:10]}/{unique}")


def shown(artifacts: Iterable[Artifact]) -> list[dict[str, Any]]:
    """As the details of an action execution name them."""
    return [
        {"name": artifact.name, "s3location": {"bucket": artifact.bucket, "key": artifact.key}}
        for artifact in artifacts
    ]


def read_file(cloud: Cloud, artifact: Artifact, path: str) -> str:
    """A text file in an artifact; raises `ActionFailed` where there is no such artifact, file or text."""
    with _opened(cloud, artifact) as archive:
        try:
            return archive.read(path).decode()
        except KeyError as error:
            files = sorted(archive.namelist())
            shown_files = ", ".join(files[:10]) + (f" and {len(files) - 10} more" if len(files) > 10 else "")
            raise ActionFailed(
                f"File [{path}] does not exist in artifact [{artifact.name}], which has: {shown_files or 'nothing'}",
                "ConfigurationError",
            ) from error
        except UnicodeDecodeError as error:
            raise ActionFailed(f"File [{path}] in artifact [{artifact.name}] is not text: {error}") from error


def write_file(cloud: Cloud, artifact: Artifact, path: str, text: str) -> None:
    """Make an artifact of one text file; raises `ActionFailed` where it cannot be stored."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path, text)
    try:
        cloud.client("s3").put_object(
            Bucket=artifact.bucket, Key=artifact.key, Body=buffer.getvalue(), ContentType="application/zip"
        )
    except ClientError as error:
        raise _failed(artifact, "stored", error) from error


def _opened(cloud: Cloud, artifact: Artifact) -> zipfile.ZipFile:
    try:
        body = cloud.client("s3").get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
        return zipfile.ZipFile(io.BytesIO(body))
    except ClientError as error:
        raise _failed(artifact, "read", error) from error
    except zipfile.BadZipFile as error:
        raise ActionFailed(f"Artifact [{artifact.name}] in s3://{artifact.bucket}/{artifact.key} is no zip") from error


def _failed(artifact: Artifact, done: str, error: ClientError) -> ActionFailed:
    code = error.response["Error"]["Code"]
    return ActionFailed(
        f"Artifact [{artifact.name}] could not be {done} at s3://{artifact.bucket}/{artifact.key}: "
        f"{code}: {error.response['Error']['Message']}",
        "PermissionError" if "AccessDenied" in code else "JobFailed",
    )
