"""The simulator of IAM: what policies say of actions that nobody carries out, by the same evaluation as for requests.

The SDK asks it before it starts a job whether the role may do what the job needs.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.iam import authorization, evaluation, policy, roles
from local_aws.iam.context import Context, Values
from local_aws.iam.evaluation import Decision, Policies
from local_aws.iam.policy import Policy, Query
from local_aws.operations import IAM
from local_aws.principal import ADMINISTRATOR, Principal

_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")


@IAM.operation("SimulatePrincipalPolicy")
def simulate_principal_policy(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """What the policies of a role, and those given, would decide."""
    source = request["PolicySourceArn"]
    role = roles.find(source)
    if role is None:
        what = "role" if _ROLE.fullmatch(source) else "entity of which local-aws simulates policies (a role)"
        raise AwsError("NoSuchEntity", f"The {what} with ARN {source} cannot be found.", 404)
    boundary = _given(request, "PermissionsBoundaryPolicyInputList") or ((role.boundary,) if role.boundary else None)
    policies = Policies((*role.policies, *_given(request, "PolicyInputList")), boundary)
    return _simulated(cloud, request, policies, Principal(source, "simulation"))


@IAM.operation("SimulateCustomPolicy")
def simulate_custom_policy(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """What the policies given would decide."""
    boundary = _given(request, "PermissionsBoundaryPolicyInputList") or None
    return _simulated(cloud, request, Policies(_given(request, "PolicyInputList"), boundary), ADMINISTRATOR)


def _given(request: dict[str, Any], member: str) -> tuple[Policy, ...]:
    try:
        return tuple(
            policy.read(f"{member}.{number}", text) for number, text in enumerate(request.get(member, []), start=1)
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise AwsError("InvalidInput", f"{member} holds what is no policy document: {error}") from error


def _simulated(cloud: Cloud, request: dict[str, Any], policies: Policies, principal: Principal) -> dict[str, Any]:
    entries = {
        entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", []))
        for entry in request.get("ContextEntries", [])
    }
    values = {**authorization.global_values(cloud, principal), **entries}
    results = [
        _result(action, resource, _decided(policies, action, resource, values))
        for action in request["ActionNames"]
        for resource in request.get("ResourceArns") or ["*"]
    ]
    return {"IsTruncated": False, "EvaluationResults": results}


def _decided(policies: Policies, action: str, resource: str, values: Values) -> Decision:
    # Tags of resources are those among the context entries: what is simulated need not exist.
    return evaluation.decide(policies, Query(action, resource, Context(values, resource_tags=True)))


def _result(action: str, resource: str, decision: Decision) -> dict[str, Any]:
    denied = "explicitDeny" if decision.explicit else "implicitDeny"
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": "allowed" if decision.allowed else denied,
        "MatchedStatements": [
            {"SourcePolicyId": statement.policy, "SourcePolicyType": "IAM Policy"} for statement in decision.statements
        ],
        "MissingContextValues": [],
    }
