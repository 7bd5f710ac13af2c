"""The simulator: what policies would say, of a role's own and of those given."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

STATEMENTS = [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"},
    {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::data/secret/*"},
    {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    },
]


def test_a_role_is_simulated_on_each_resource(roles: Any) -> None:
    answer = roles.iam.simulate_principal_policy(
        PolicySourceArn=roles.make(*STATEMENTS),
        ActionNames=["s3:GetObject"],
        ResourceArns=["arn:aws:s3:::data/x", "arn:aws:s3:::data/secret/x", "arn:aws:s3:::other/x"],
    )
    found = {item["EvalResourceName"]: item for item in answer["EvaluationResults"]}
    assert [item["EvalDecision"] for item in found.values()] == ["allowed", "explicitDeny", "implicitDeny"]
    assert found["arn:aws:s3:::data/x"]["MatchedStatements"][0]["SourcePolicyId"] == "own"
    assert found["arn:aws:s3:::other/x"]["MatchedStatements"] == []


@pytest.mark.parametrize(("service", "decision"), [("sagemaker", "allowed"), ("codebuild", "implicitDeny")])
def test_context_entries_are_the_values_of_condition_keys(roles: Any, service: str, decision: str) -> None:
    entry = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": [f"{service}.amazonaws.com"],
        "ContextKeyType": "string",
    }
    answer = roles.iam.simulate_principal_policy(
        PolicySourceArn=roles.make(*STATEMENTS), ActionNames=["iam:PassRole"], ContextEntries=[entry]
    )
    assert answer["EvaluationResults"][0]["EvalDecision"] == decision


def test_policies_are_simulated_that_no_role_has(roles: Any) -> None:
    answer = roles.iam.simulate_custom_policy(
        PolicyInputList=[json.dumps({"Version": "2012-10-17", "Statement": STATEMENTS})],
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::data/x"],
    )
    assert [item["EvalDecision"] for item in answer["EvaluationResults"]] == ["allowed", "implicitDeny"]


def test_a_role_that_is_not_there_and_text_that_is_no_policy_are_refused(roles: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        roles.iam.simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:role/nobody", ActionNames=["s3:GetObject"]
        )
    with pytest.raises(ClientError, match="InvalidInput"):
        roles.iam.simulate_custom_policy(PolicyInputList=["nothing"], ActionNames=["s3:GetObject"])
