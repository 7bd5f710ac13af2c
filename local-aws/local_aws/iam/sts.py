"""STS: a user, or a role, assumes a role and gets credentials that this cloud knows as that role's.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.iam import authorization, roles, sessions, trust
from local_aws.iam.context import Context
from local_aws.operations import STS
from local_aws.principal import Principal, acting

_CHAINED_SECONDS = 3600


@STS.operation("AssumeRole")
def assume_role(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    caller, role_arn, account = acting(), request["RoleArn"], cloud.settings.account
    role = roles.find(role_arn)
    context = {"sts:rolesessionname": (request["RoleSessionName"],)}
    if "ExternalId" in request:
        context["sts:externalid"] = (request["ExternalId"],)
    resource = (role.trust,) if role is not None else ()
    authorization.require(cloud, trust.ASSUME, role_arn, context=context, resource_policies=resource)
    reason = "there is no such role"
    if role is not None:
        values = {**authorization.global_values(cloud, caller), **context}
        reason = trust.refused(role.trust, role_arn, trust.names(account, caller), Context(values)) or ""
    if role is None or reason:
        who = trust.caller_arn(account, caller)
        message = f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn} ({reason})"
        raise AwsError("AccessDenied", message, 403)
    seconds = request.get("DurationSeconds", 3600)
    most = role.session_seconds if caller.role_arn is None else _CHAINED_SECONDS
    if seconds > most:
        chained = "" if caller.role_arn is None else " roles assumed by role chaining,"
        raise AwsError(
            "ValidationError",
            f"The requested DurationSeconds exceeds{chained or ' the'} MaxSessionDuration set for this role ({most}).",
        )
    policies = [request["Policy"]] if "Policy" in request else []
    policies += [each["arn"] for each in request.get("PolicyArns", [])]
    tags = tuple((tag["Key"], tag["Value"]) for tag in request.get("Tags", []))
    assumed = Principal(role_arn, request["RoleSessionName"], tuple(policies), tags)
    given = sessions.issue(cloud, assumed, seconds)
    return {
        "Credentials": {
            "AccessKeyId": given.access_key,
            "SecretAccessKey": given.secret_key,
            "SessionToken": given.token,
            "Expiration": given.expiration,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{assumed.session}",
            "Arn": trust.session_arn(account, assumed),
        },
        "PackedPolicySize": 6 if policies else 0,
    }


@STS.operation("GetCallerIdentity")
def get_caller_identity(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Who asks; nobody can be denied it."""
    caller, account = acting(), cloud.settings.account
    role = roles.find(caller.role_arn) if caller.role_arn is not None else None
    user_id = f"{role.id}:{caller.session}" if role is not None else account
    return {"UserId": user_id, "Account": account, "Arn": trust.caller_arn(account, caller)}


def _refuse(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    raise AwsError(
        "UnknownOperationException",
        "local-aws knows no identity provider whose tokens it could check: assume the role with AssumeRole.",
    )


for _operation in ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"):
    STS.operation(_operation)(_refuse)
