"""Where a request says its template is: in itself, in S3, or in the stack that has it already.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html (sizes)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.cloudformation import template_text
from local_aws.cloudformation.refusals import refused

# s3.amazonaws.com, s3.us-east-1.amazonaws.com, s3-us-west-2.amazonaws.com, s3.dualstack.us-east-1.amazonaws.com
_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")
_LOOPBACK = ("127.0.0.1", "localhost")


def template_body(cloud: Cloud, request: Mapping[str, Any], previous: str | None) -> str:
    """The text of the template that a request names; `previous` is the one its stack has.

    Raises `AwsError` (ValidationError) where it names none or two, or one that cannot be read or is too large: 51,200
    bytes in the request, 1,000,000 in S3.
    """
    given = [name for name in ("TemplateBody", "TemplateURL") if request.get(name)]
    if request.get("UsePreviousTemplate"):
        given.append("UsePreviousTemplate")
    if len(given) != 1:
        raise refused("Either Template URL or Template Body must be specified.")
    if given == ["TemplateBody"]:
        body = str(request["TemplateBody"])
        if len(body.encode()) > template_text.BODY_LIMIT:
            raise refused(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
                f"length less than or equal to {template_text.BODY_LIMIT}"
            )
        return body
    if given == ["TemplateURL"]:
        return _from_s3(cloud, request["TemplateURL"])
    if previous is None:
        raise refused("UsePreviousTemplate is set, but the stack has no template yet.")
    return previous


def _from_s3(cloud: Cloud, url: str) -> str:
    place = s3_place(cloud, url)
    where = f"{place['Bucket']}/{place['Key']}"
    try:
        body = cloud.client("s3").get_object(**place)["Body"].read(template_text.STORED_BODY_LIMIT + 1)
    except ClientError as error:
        raise refused(f"S3 error: {error.response['Error'].get('Message', 'Access Denied')} ({where})") from error
    if len(body) > template_text.STORED_BODY_LIMIT:
        raise refused(f"Template may not exceed {template_text.STORED_BODY_LIMIT} bytes in size.")
    try:
        return str(body.decode())
    except UnicodeDecodeError:
        raise refused(f"Template format error: the object {where} is not text in UTF-8.") from None


def s3_place(cloud: Cloud, url: str) -> dict[str, str]:
    """Bucket, Key and, where the address has one, VersionId of an object's address, in the words of GetObject.

    AWS's own addresses over https, and this cloud's over http. Raises `AwsError` (ValidationError) for any other,
    `s3://` included, as AWS does.
    """
    parts = urlsplit(url)
    aws = _S3_HOST.fullmatch(parts.hostname or "") if parts.scheme == "https" else None
    here = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port == cloud.settings.port
    if aws is None and not here:
        raise refused("TemplateURL must be a supported URL.")
    path = unquote(parts.path.removeprefix("/"))
    in_host = aws["bucket"] if aws is not None else None
    bucket, _, key = (in_host, "/", path) if in_host else path.partition("/")
    if not bucket or not key:
        raise refused("TemplateURL must reference a valid S3 object to which you have access.")
    version = parse_qs(parts.query).get("versionId")
    return {"Bucket": bucket, "Key": key, **({"VersionId": version[0]} if version else {})}
