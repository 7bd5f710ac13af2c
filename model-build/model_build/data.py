"""The data of a build as the pipeline gets them: an S3 location, and a digest of what lies there now.
A built-in data set is a small file that names it, so that the same input serves both."""

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from model_build.errors import BuildError
from model_build.settings import BUILT_IN_DATA, Settings
from model_build.shipping import put_once

REFERENCE = "dataset.json"


def data_uri(settings: Settings) -> str:
    """The S3 location of the settings' data; for a built-in set, of the file that names it."""
    location = settings.data.location
    return f"s3://{settings.platform.bucket}/data/built-in/{location}/" if location in BUILT_IN_DATA else location


def ship_data(s3: Any, settings: Settings) -> tuple[str, str]:
    """Make sure the data are there; returns their S3 location and a digest of keys and contents (ETags).

    Raises BuildError if nothing lies at the location.
    """
    uri = data_uri(settings)
    bucket, key = urlsplit(uri).netloc, urlsplit(uri).path.lstrip("/")
    if settings.data.location in BUILT_IN_DATA:
        put_once(s3, bucket, f"{key}{REFERENCE}", json.dumps({"built_in": settings.data.location}).encode())
    return uri, _digest(s3, bucket, key, uri)


def _digest(s3: Any, bucket: str, key: str, uri: str) -> str:
    listed = []
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            listed += [f"{item['Key']} {item['ETag']}" for item in page.get("Contents", [])]
    except ClientError as error:
        raise BuildError(f"The data at {uri} cannot be listed ({error.response['Error']['Code']}).") from error
    if not listed:
        raise BuildError(f"There are no data at {uri}: upload CSV files there, or name another location by --data.")
    return hashlib.sha256("\n".join(sorted(listed)).encode()).hexdigest()[:16]
