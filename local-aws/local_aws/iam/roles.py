"""The roles of this cloud as moto keeps them: who may assume one, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws.iam import policy
from local_aws.iam.policy import Policy

if TYPE_CHECKING:
    from moto.iam.models import IAMBackend
    from moto.iam.models import Role as MotoRole


@dataclass(frozen=True)
class Role:
    """A role as it is now; `boundary` is None where it has no permissions boundary, `session_seconds` the longest."""

    arn: str
    name: str
    id: str
    trust: Policy
    policies: tuple[Policy, ...]
    boundary: Policy | None
    tags: Mapping[str, str]
    session_seconds: int


def find(arn: str) -> Role | None:
    """The role of an ARN, or None where there is none. Documents that were read before are not read again."""
    held = _held(arn)
    if held is None:
        return None
    inline = [policy.read(name, document) for name, document in list(held.policies.items())]
    attached = [_managed(each) for each in list(held.managed_policies.values())]
    boundary = held.permissions_boundary_arn
    return Role(
        arn=held.arn,
        name=held.name,
        id=held.id,
        trust=policy.read(f"trust policy of {held.name}", held.assume_role_policy_document),
        policies=(*inline, *attached),
        boundary=managed_policy(boundary) if boundary else None,
        tags=_tags(held.tags),
        session_seconds=int(held.max_session_duration or 3600),
    )


def arn_of(name: str) -> str | None:
    """The ARN of the role of this name, with its path."""
    return next((str(role.arn) for role in list(_backend().roles.values()) if role.name == name), None)


def user_arn(access_key: str) -> str | None:
    """The ARN of the IAM user that an access key belongs to."""
    user = _backend().get_user_from_access_key_id(access_key)
    return str(user.arn) if user is not None else None


def managed_policy(arn: str) -> Policy:
    """The default version of a managed policy; one that is not there allows nothing."""
    held = _backend().managed_policies.get(arn)
    return _managed(held) if held is not None else Policy(arn, ())


def _managed(held: Any) -> Policy:
    version = next(each for each in held.versions if each.version_id == held.default_version_id)
    return policy.read(held.arn, version.document)


def _held(arn: str) -> MotoRole | None:
    return next((role for role in list(_backend().roles.values()) if role.arn == arn), None)


def _tags(tags: Any) -> dict[str, str]:
    """moto keeps the tags of some roles as a list, of others as a mapping of them."""
    several = tags.values() if isinstance(tags, dict) else tags or []
    return {tag["Key"]: tag["Value"] for tag in several}


def _backend() -> IAMBackend:
    # moto is slow to import, and commands that need no server come by here.
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.iam.models import iam_backends

    return iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
