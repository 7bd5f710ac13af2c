"""Where artifacts go, looked at before the first one is lost: a bucket that answers, a folder that can be written to.

https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow_server.errors import ServerError

_OPTION = "--artifacts-destination (MLFLOW_ARTIFACTS_DESTINATION)"
_SECONDS = 10
_KEY_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId"}
_MISSING = {"NoSuchBucket", "404"}
_DENIED = {"AccessDenied", "403", "AllAccessDisabled"}
_ELSEWHERE = {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


def check(destination: str) -> None:
    """Raise `ServerError` where artifacts cannot be kept at `destination`: only what is looked at here is served."""
    parts = urlsplit(destination)
    if parts.scheme == "s3":
        _check_bucket(destination, parts.netloc, parts.path.strip("/"))
    elif parts.scheme == "file" or Path(destination).is_absolute():
        _check_folder(Path(unquote(parts.path) if parts.scheme else destination))
    elif not parts.scheme:
        raise ServerError(
            f"{_OPTION} takes a URI, and {destination!r} has no scheme: "
            "write s3://BUCKET/PREFIX for a bucket, or file:///FOLDER for a folder."
        )
    else:
        raise ServerError(
            f"Artifacts cannot be kept at {destination}: this server looks at buckets and folders only, and would not "
            f"know whether it answers. Name a bucket (s3://BUCKET/PREFIX) or a folder (file:///FOLDER) with {_OPTION}."
        )


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ServerError(
            f"Artifacts cannot be written to {folder} ({error.strerror}): "
            f"give the server's user the right to, or name another place with {_OPTION}."
        ) from error


def _check_bucket(destination: str, bucket: str, prefix: str) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        HTTPClientError,
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
    )

    config = Config(
        connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"mode": "standard", "total_max_attempts": 2}
    )
    try:
        # MLflow's own variable, which comes before boto3's.
        client: Any = boto3.Session().client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"), config=config)
        client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1)
    except ClientError as error:
        raise _refused(destination, bucket, error.response.get("Error", {})) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ServerError(
            f"There are no AWS credentials to reach {destination} with: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give this machine a role."
        ) from error
    except (ConnectionError, HTTPClientError) as error:
        raise ServerError(
            f"The object store of {destination} does not answer ({error}): start it, or correct "
            "MLFLOW_S3_ENDPOINT_URL or AWS_ENDPOINT_URL."
        ) from error
    except ParamValidationError as error:
        raise ServerError(f"{destination} names no bucket: write s3://BUCKET/PREFIX.") from error
    except (BotoCoreError, ValueError) as error:
        raise ServerError(f"{destination} cannot be reached ({error}): correct the AWS settings.") from error


def _refused(destination: str, bucket: str, error: dict[str, str]) -> ServerError:
    code = error.get("Code", "")
    if code in _MISSING:
        return ServerError(
            f"There is no bucket {bucket!r}: create it (`aws s3 mb s3://{bucket}`), or correct {destination!r}."
        )
    if code in _DENIED:
        return ServerError(
            f"These credentials may not list the bucket {bucket!r}, which may be someone else's: allow them "
            f"s3:ListBucket on it, s3:GetObject, s3:PutObject and s3:DeleteObject in {destination}, or name another."
        )
    if code in _KEY_REFUSED:
        return ServerError(
            f"The object store refused the access key for {destination} ({code}): "
            "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in anew."
        )
    if code in _ELSEWHERE:
        return ServerError(
            f"The bucket {bucket!r} is in another region ({error.get('Message', code)}): set AWS_REGION to its own."
        )
    return ServerError(
        f"The object store refused to list {destination} ({code}: {error.get('Message', '')}): correct what it names."
    )
