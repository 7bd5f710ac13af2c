"""Who carries out what a stack asks for: the role that it was given, else whoever asked.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation.refusals import refused
from local_aws.errors import AwsError
from local_aws.iam import sessions
from local_aws.principal import Principal, acting

_SERVICE = "cloudformation.amazonaws.com"
# The session's name as AWS shows it in what is denied: assumed-role/<role>/AWSCloudFormation.
_SESSION = "AWSCloudFormation"


def principal_for(cloud: Cloud, request: Mapping[str, Any], stack: Mapping[str, Any]) -> Principal:
    """On whose behalf an operation upon a stack touches resources.

    The role of the request comes first, then the one that the stack was last given. Raises `AwsError`
    (ValidationError) for a role that is not there or does not trust CloudFormation.
    """
    role_arn = request.get("RoleARN") or stack.get("RoleARN")
    if not role_arn:
        return acting()
    try:
        return sessions.principal(cloud, role_arn, _SESSION, _SERVICE)
    except AwsError as error:
        raise refused(f"Role {role_arn} is invalid or cannot be assumed: {error.message}") from error
