"""Bucket policies as the local cloud judges them: a request stands for the HTTPS request it would be on AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def deny(cloud: Any, bucket: str, condition: dict[str, Any]) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, **condition}]}
    cloud.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def test_what_a_policy_denies_to_all_is_denied(cloud: Any, bucket: str) -> None:
    deny(cloud, bucket, {})
    with pytest.raises(ClientError, match="403"):
        cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")


@pytest.mark.parametrize(
    "condition",
    [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Bool": {"aws:SecureTransport": False}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ],
)
def test_what_a_policy_denies_without_tls_is_allowed(cloud: Any, bucket: str, condition: dict[str, Any]) -> None:
    deny(cloud, bucket, {"Condition": condition})
    cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")
    assert cloud.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
