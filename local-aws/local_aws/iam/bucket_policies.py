"""Buckets and their policies, as far as they grant or deny something to a role: moto holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_aws.iam import policy
from local_aws.iam.policy import Policy

if TYPE_CHECKING:
    from moto.s3.models import FakeBucket


def exists(bucket: str) -> bool:
    """Whether there is a bucket of this name."""
    return _held(bucket) is not None


def of(bucket: str) -> tuple[Policy, ...]:
    """The policy of a bucket, if it has one."""
    held = _held(bucket)
    if held is None or not held.policy:
        return ()
    text = held.policy if isinstance(held.policy, str) else held.policy.decode()
    return (policy.read(f"of bucket {bucket}", text),)


def of_resource(arn: str) -> tuple[Policy, ...]:
    """The policy of the bucket that an ARN of S3 names, or whose object it names."""
    return of(arn.removeprefix("arn:aws:s3:::").partition("/")[0])


def _held(bucket: str) -> FakeBucket | None:
    # moto is slow to import, and commands that need no server come by here.
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
