"""Bucket policies: moto applies their statements without looking at conditions, and so "Deny without TLS" denies all.

Every request to this cloud comes over the loopback address of one machine. It stands for the HTTPS request that the
same client makes to AWS, and is judged as one: aws:SecureTransport is true, s3:TlsVersion is 1.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

_TLS_VERSION = 1.3


def install() -> None:
    """Have moto's buckets judge conditions on how a request travels; conditions on anything else stay unjudged."""
    FakeBucket.get_permission = _permission  # type: ignore[method-assign, assignment]


def _permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    applying = [statement for statement in statements if _applies(statement.get("Condition", {}))]
    return IAMPolicy(json.dumps({**document, "Statement": applying})).is_action_permitted(action, resource)


def _applies(conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether none of the conditions on transport is known to fail (all conditions of a statement have to hold)."""
    for operator, keys in conditions.items():
        for key, value in keys.items():
            name = key.lower()
            if name == "aws:securetransport" and operator == "Bool" and str(value).lower() != "true":
                return False
            if name == "s3:tlsversion" and operator == "NumericLessThan" and float(value) <= _TLS_VERSION:
                return False
    return True
