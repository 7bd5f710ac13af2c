"""The part of IAM that moto lacks: the SDK asks before it starts a job whether the role may do what the job needs."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.operations import IAM


@IAM.operation("SimulatePrincipalPolicy")
def simulate_principal_policy(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Answer that every action is allowed: policies are not evaluated by this cloud yet."""
    resources = request.get("ResourceArns") or ["*"]
    return {
        "IsTruncated": False,
        "EvaluationResults": [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed", "MatchedStatements": []}
            for action in request["ActionNames"]
            for resource in resources
        ],
    }
