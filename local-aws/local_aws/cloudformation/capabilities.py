"""Capabilities: a template that makes identities or permissions needs its user's word for it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (Capabilities)
"""

from __future__ import annotations

from collections.abc import Sequence

from local_aws.cloudformation.template import Template
from local_aws.errors import AwsError

_IAM_TYPES = {
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::IAM::UserToGroupAddition",
}
_NAMES = {"RoleName", "ManagedPolicyName", "GroupName", "UserName", "InstanceProfileName"}


def needed(template: Template) -> tuple[str, str] | None:
    """The capability a template needs and the reason, or None."""
    found = [declared for declared in template.resources.values() if declared.type_name in _IAM_TYPES]
    if not found:
        return None
    types = ", ".join(sorted({declared.type_name for declared in found}))
    named = any(_NAMES & set(declared.properties) for declared in found if declared.type_name != "AWS::IAM::Policy")
    return (
        "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM",
        f"The following resource(s) require capabilities: [{types}]",
    )


def check(template: Template, given: Sequence[str]) -> None:
    """Raise `AwsError` (InsufficientCapabilitiesException) where the request does not acknowledge what is needed."""
    need = needed(template)
    if need is None or need[0] in given or "CAPABILITY_NAMED_IAM" in given:
        return
    raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{need[0]}]")
