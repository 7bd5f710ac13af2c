"""The role that a request hands to SageMaker: what a job or an endpoint reads, writes and pulls, it does as that role.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

import re

from local_aws.cloud import Cloud
from local_aws.errors import AwsError, validation_error
from local_aws.iam import authorization, sessions
from local_aws.principal import ADMINISTRATOR, Principal

SERVICE = "sagemaker.amazonaws.com"
_SESSION = "SageMaker"
_REGISTRY = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")
_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def check(cloud: Cloud, role_arn: str, source_arn: str) -> None:
    """Refuse a role that SageMaker may not assume for the resource `source_arn`: `AwsError` (ValidationException)."""
    reason = sessions.refusal(cloud, role_arn, SERVICE, source_arn)
    if reason is not None:
        raise validation_error(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal '{SERVICE}' to "
            f"assume the role ({reason})."
        )


def session(role_arn: str | None) -> Principal:
    """SageMaker's session of a role that was checked; a model may have none."""
    return Principal(role_arn, _SESSION) if role_arn else ADMINISTRATOR


def pull(cloud: Cloud, image: str) -> None:
    """See that the acting role may pull an image from ECR; raises `AwsError` (AccessDeniedException)."""
    found = _REGISTRY.match(image)
    if found is None:
        return
    authorization.require(cloud, "ecr:GetAuthorizationToken")
    for action in _PULL:
        authorization.require(cloud, action, f"arn:aws:ecr:{found[2]}:{found[1]}:repository/{found[3]}")


def pull_refused(image: str, error: AwsError) -> str:
    """The words in which a job's failure reason tells of an image that its role may not pull."""
    return f"ClientError: Could not pull image {image}: {error.message}"
