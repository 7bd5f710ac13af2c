"""The policies of buckets, as far as they grant or deny something to a role: moto holds them."""

from __future__ import annotations

from local_aws.iam import policy
from local_aws.iam.policy import Policy


def of(bucket: str) -> tuple[Policy, ...]:
    """The policy of a bucket, if it has one."""
    # moto is slow to import, and commands that need no server come by here.
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    held = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(bucket)
    if held is None or not held.policy:
        return ()
    text = held.policy if isinstance(held.policy, str) else held.policy.decode()
    return (policy.read(f"of bucket {bucket}", text),)


def of_resource(arn: str) -> tuple[Policy, ...]:
    """The policy of the bucket that an ARN of S3 names, or whose object it names."""
    return of(arn.removeprefix("arn:aws:s3:::").partition("/")[0])
