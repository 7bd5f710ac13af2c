"""Whether the one who acts may do what a request asks: the request is named in IAM's terms and judged by policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from local_aws.cloud import Cloud
from local_aws.contract import service_model
from local_aws.errors import AwsError
from local_aws.iam import access, evaluation, passed_roles, policy, roles, trust
from local_aws.iam.access import Access
from local_aws.iam.context import Context, Values
from local_aws.iam.evaluation import Decision, Policies
from local_aws.iam.policy import Policy, Query
from local_aws.principal import Principal, acting

# Codes of a refusal by IAM, by the protocol of the service; these services have words of their own.
_CODES = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
_XML = ("query", "rest-xml", "ec2")


def check(cloud: Cloud, service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Refuse an operation of a service (by botocore's or its signing name) that the acting role may not carry out.

    Raises `AwsError` (AccessDenied or AccessDeniedException) in AWS's words. Administrators may do everything.
    """
    if acting().role_arn is None:
        return
    for each in access.needed(cloud, service, operation, request):
        demand(cloud, service, each)
    for role_arn, passed_to in passed_roles.of(service, operation, request):
        passed = Access("iam:PassRole", role_arn, values={"iam:passedtoservice": (passed_to,)})
        demand(cloud, service, passed)


def require(
    cloud: Cloud,
    action: str,
    resource: str = "*",
    *,
    context: Values | None = None,
    resource_policies: Iterable[Policy] = (),
) -> None:
    """Refuse an action that no request of its own asks for (`codeconnections:UseConnection`) to the acting role.

    `context` has the values of condition keys, whose names are in lower case. Raises `AwsError`.
    """
    demand(cloud, action.partition(":")[0], Access(action, resource, values=context or {}), resource_policies)


def demand(cloud: Cloud, service: str, asked: Access, resource_policies: Iterable[Policy] = ()) -> None:
    """Refuse one access to the acting role; raises `AwsError` in the code of `service`."""
    principal = acting()
    if principal.role_arn is None:
        return
    found = decide(cloud, principal, asked, resource_policies)
    if not found.allowed:
        who = trust.caller_arn(cloud.settings.account, principal)
        on = f'"{asked.resource}"' if service == "s3" else asked.resource
        unnamed = (
            " (local-aws does not know which resources this action has: only a policy for resource * allows it)"
            if asked.unknown and not found.explicit
            else ""
        )
        raise denial(
            service,
            f"User: {who} is not authorized to perform: {asked.action} on resource: {on} {found.reason}{unnamed}",
        )


def denial(service: str, message: str) -> AwsError:
    """A refusal by IAM in the code and with the status that clients of this service know."""
    protocol = _protocol(service)
    code = _CODES.get(service) or ("AccessDenied" if protocol in _XML else "AccessDeniedException")
    return AwsError(code, message, 403 if protocol in (*_XML, "rest-json") else 400)


def decide(cloud: Cloud, principal: Principal, asked: Access, resource_policies: Iterable[Policy] = ()) -> Decision:
    """What the policies that bear on a role session say of one access."""
    role = roles.find(principal.role_arn or "")
    if role is None:
        return Decision(False, "because the role does not exist any more")
    account = cloud.settings.account
    values = {**global_values(cloud, principal), **asked.values}
    values |= {f"aws:principaltag/{key.lower()}": (value,) for key, value in [*role.tags.items(), *principal.tags]}
    query = Query(
        asked.action,
        asked.resource,
        Context(values, resource_tags=asked.tags_known),
        asked.aliases,
        asked.unknown,
        trust.own_names(account, principal),
        trust.account_names(account),
    )
    policies = Policies(
        role.policies,
        (role.boundary,) if role.boundary is not None else None,
        tuple(map(_session_policy, principal.policies)) or None,
        tuple(resource_policies),
    )
    return evaluation.decide(policies, query)


def global_values(cloud: Cloud, principal: Principal) -> dict[str, tuple[str, ...]]:
    """The condition keys that every request has.

    A request comes over the loopback address of one machine. It stands for the HTTPS request that the same client makes
    to AWS, and is judged as one.
    """
    now, account = datetime.now(UTC), cloud.settings.account
    return {
        "aws:securetransport": ("true",),
        "s3:tlsversion": ("1.3",),
        "aws:sourceip": ("127.0.0.1",),
        "aws:currenttime": (now.isoformat(),),
        "aws:epochtime": (str(now.timestamp()),),
        "aws:requestedregion": (cloud.settings.region,),
        "aws:principalaccount": (account,),
        "aws:resourceaccount": (account,),
        "aws:principalarn": (principal.role_arn or trust.caller_arn(account, principal),),
        "aws:principaltype": ("AssumedRole" if principal.role_arn else "Account",),
        "aws:multifactorauthpresent": ("false",),
    }


def _session_policy(given: str) -> Policy:
    """A session policy, which is JSON or the ARN of a managed one."""
    return roles.managed_policy(given) if given.startswith("arn:") else policy.read("session policy", given)


def _protocol(service: str) -> str:
    try:
        return str(service_model(access.MODEL_NAMES.get(service, service)).protocol)
    except Exception:
        return "json"
