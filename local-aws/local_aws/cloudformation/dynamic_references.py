"""Dynamic references: `{{resolve:ssm:...}}` and `{{resolve:secretsmanager:...}}` are read when a resource is made.

The stack remembers the reference, never the value: secrets do not enter its state.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation.refusals import ResourceFailed

_REFERENCE = re.compile(r"\{\{resolve:(ssm-secure|ssm|secretsmanager):([^}]+)\}\}")
_SECRET = re.compile(r"(?P<id>arn:[^:]+:secretsmanager:[^:]+:[^:]+:secret:[^:]+|[^:]+)(?::(?P<rest>.*))?")


def read(value: Any, cloud: Cloud) -> Any:
    """The value with what its dynamic references name; raises botocore's ClientError where nothing is."""
    if isinstance(value, dict):
        return {key: read(item, cloud) for key, item in value.items()}
    if isinstance(value, list):
        return [read(item, cloud) for item in value]
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value
    return _REFERENCE.sub(
        lambda found: _secret(cloud, found[2]) if found[1] == "secretsmanager" else _ssm(cloud, found[2]), value
    )


def _ssm(cloud: Cloud, name: str) -> str:
    return str(cloud.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _secret(cloud: Cloud, text: str) -> str:
    found = _SECRET.fullmatch(text)
    if found is None:
        raise ResourceFailed(f"Dynamic reference secretsmanager:{text} is not well-formed.")
    parts = [*(found["rest"] or "").split(":"), "", "", "", ""]
    request = {"SecretId": found["id"], "VersionStage": parts[2], "VersionId": parts[3]}
    secret = cloud.client("secretsmanager").get_secret_value(**{key: item for key, item in request.items() if item})
    if not parts[1]:
        return str(secret["SecretString"])
    try:
        return str(json.loads(secret["SecretString"])[parts[1]])
    except (ValueError, KeyError, TypeError):
        raise ResourceFailed(
            f"Could not find a value associated with JSON key {parts[1]} in secret {found['id']}."
        ) from None
