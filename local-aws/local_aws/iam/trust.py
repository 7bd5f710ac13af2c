"""Trust policies: whom a role lets in, and by what names a caller is known there.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

from local_aws.iam.context import Context
from local_aws.iam.evaluation import outcome
from local_aws.iam.policy import Policy, Query
from local_aws.principal import Principal

Names = frozenset[tuple[str, str]]
ASSUME = "sts:AssumeRole"


def service_names(service: str) -> Names:
    """A service principal such as sagemaker.amazonaws.com."""
    return frozenset({("Service", service), ("AWS", "*")})


def own_names(account: str, principal: Principal) -> Names:
    """The names that mean this caller itself: its own, and everyone's."""
    if principal.role_arn is None:
        return frozenset({("AWS", "*"), ("AWS", principal.user_arn or f"arn:aws:iam::{account}:root")})
    return frozenset({("AWS", "*"), ("AWS", principal.role_arn), ("AWS", session_arn(account, principal))})


def account_names(account: str) -> Names:
    """The names that mean all who belong to the account, as far as IAM lets them."""
    return frozenset({("AWS", account), ("AWS", f"arn:aws:iam::{account}:root")})


def names(account: str, principal: Principal) -> Names:
    """Every name under which a trust policy may mean this caller."""
    return own_names(account, principal) | account_names(account)


def session_arn(account: str, principal: Principal) -> str:
    """`arn:aws:sts::<account>:assumed-role/<role>/<session>`."""
    return f"arn:aws:sts::{account}:assumed-role/{(principal.role_arn or '').rpartition('/')[2]}/{principal.session}"


def caller_arn(account: str, principal: Principal) -> str:
    """The ARN by which messages name a caller."""
    if principal.role_arn is not None:
        return session_arn(account, principal)
    return principal.user_arn or f"arn:aws:iam::{account}:root"


def refused(policy: Policy, role_arn: str, who: Names, context: Context) -> str | None:
    """Why a trust policy does not let someone in; None where it does."""
    said = outcome([policy], Query(ASSUME, role_arn, context, principals=who))
    if said.denies:
        return "its trust policy denies it" + "".join(f" ({each} is not evaluated here)" for each in said.unsaid)
    if said.allowed:
        return None
    return "its trust policy does not allow it" + "".join(f" ({each} is not evaluated here)" for each in said.unsaid)
