"""Policies against requests: what is allowed, what is denied, and what cannot be said. No server."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from local_aws.iam import evaluation, policy
from local_aws.iam.context import Context
from local_aws.iam.evaluation import Decision, Policies
from local_aws.iam.policy import Policy, Query

OBJECT = "arn:aws:s3:::models/a/b.tar.gz"


def read(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return policy.read("p", json.dumps({"Version": version, "Statement": list(statements)}))


def allow(action: Any = "s3:GetObject", resource: Any = "arn:aws:s3:::models/*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def judged(
    *statements: dict[str, Any],
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    version: str = "2012-10-17",
    **keys: Any,
) -> Decision:
    values = {
        key.replace("__", ":").lower(): value if isinstance(value, tuple) else (value,) for key, value in keys.items()
    }
    query = Query(action, resource, Context(values, resource_tags=True))
    return evaluation.decide(Policies((read(*statements, version=version),)), query)


def test_what_no_statement_allows_is_denied_in_the_words_of_aws() -> None:
    decision = judged(allow("s3:PutObject"))
    assert not decision.allowed
    assert decision.reason == "because no identity-based policy allows the s3:GetObject action"


def test_an_explicit_deny_wins_over_every_allow() -> None:
    decision = judged(allow("*", "*"), deny("s3:Get*"))
    assert not decision.allowed
    assert decision.explicit
    assert decision.reason == "with an explicit deny in an identity-based policy"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:?etObject", True),
        ("*", True),
        ("s3:GetObjectVersion", False),
        ("s3:Get", False),
        (["s3:PutObject", "s3:GetObject"], True),
    ],
)
def test_actions_match_in_any_case_and_by_wildcards(action: Any, expected: bool) -> None:
    assert judged(allow(action)).allowed is expected


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("arn:aws:s3:::models/*", True),
        ("arn:aws:s3:::models", False),
        ("arn:aws:s3:::Models/*", False),
        ("*", True),
        ("arn:aws:s3:::models/?/b.tar.gz", True),
        ("arn:aws:s3:::models/a/b.tar.gz", True),
        ("arn:*:models/*", True),
    ],
)
def test_resources_match_in_their_own_case_and_by_wildcards(resource: str, expected: bool) -> None:
    assert judged(allow(resource=resource)).allowed is expected


def test_not_action_and_not_resource_mean_everything_else() -> None:
    assert judged({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}).allowed
    assert not judged({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}).allowed
    other = {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::models/*"}
    assert not judged(other).allowed
    assert judged(other, resource="arn:aws:s3:::data/x").allowed


def test_variables_are_filled_in_and_their_values_are_no_patterns() -> None:
    own = allow(resource="arn:aws:s3:::models/${aws:PrincipalTag/team}/*")
    assert judged(own, **{"aws:principaltag/team": "a"}).allowed
    assert not judged(own, **{"aws:principaltag/team": "*"}).allowed
    assert not judged(own).allowed
    assert judged(allow(resource="arn:aws:s3:::models/${aws:PrincipalTag/team, 'a'}/*")).allowed
    assert not judged(own, version="2008-10-17", **{"aws:principaltag/team": "a"}).allowed


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringLike", "a*", "ab", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEquals", "a", None, True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringNotLike", "a*", "ab", False),
        ("Null", "true", None, True),
        ("Null", "true", "a", False),
        ("Null", False, "a", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("NumericLessThan", "10", "9.5", True),
        ("NumericGreaterThanEquals", 10, "10", True),
        ("NumericLessThan", "10", "many", False),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2026-11-21T10:00:00Z", True),
        ("DateGreaterThan", "2030-01-01", "2026-11-21T10:00:00+00:00", False),
        ("IpAddress", "127.0.0.0/8", "127.0.0.1", True),
        ("NotIpAddress", ["10.0.0.0/8", "127.0.0.1"], "127.0.0.1", False),
        (
            "ArnLike",
            "arn:aws:sagemaker:*:123456789012:pipeline/*",
            "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p",
            True,
        ),
        ("ArnLike", "arn:aws:*:pipeline/*", "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p", False),
        ("ArnNotEquals", "arn:aws:sns:a:1:t", "arn:aws:sns:a:1:t", False),
        ("ForAnyValue:StringEquals", ["a", "b"], ("b", "c"), True),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAllValues:StringEquals", ["a", "b"], ("b", "c"), False),
        ("ForAllValues:StringEquals", ["a", "b"], ("b", "a"), True),
        ("ForAllValues:StringEquals", ["a"], None, True),
    ],
)
def test_condition_operators(operator: str, wanted: Any, given: Any, expected: bool) -> None:
    keys = {} if given is None else {"aws:tagkeys": given}
    assert judged(allow(Condition={operator: {"aws:TagKeys": wanted}}), **keys).allowed is expected


def test_all_conditions_of_a_statement_have_to_hold() -> None:
    both = {"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}
    assert judged(allow(Condition=both), s3__prefix="a", s3__delimiter="/").allowed
    assert not judged(allow(Condition=both), s3__prefix="a").allowed


def test_a_condition_key_that_is_not_known_here_never_allows_and_is_named() -> None:
    decision = judged(allow(Sid="Office", Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}))
    assert not decision.allowed
    assert "does not evaluate condition key aws:SourceVpce of statement Office in policy p" in decision.reason


def test_a_deny_that_hangs_on_a_key_not_known_here_denies_and_names_it() -> None:
    decision = judged(allow(), deny("s3:*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))
    assert not decision.allowed
    assert "aws:SourceVpce" in decision.reason


def test_a_key_not_known_here_is_no_matter_where_another_condition_fails_anyway() -> None:
    conditions = {"StringEquals": {"aws:SourceVpce": "vpce-1", "s3:prefix": "other"}}
    assert judged(allow(), deny("s3:*", Condition=conditions), s3__prefix="a").allowed


def test_an_operator_not_known_here_never_allows_and_is_named() -> None:
    decision = judged(allow(Condition={"StringSounds": {"s3:prefix": "a"}}), s3__prefix="a")
    assert "condition operator StringSounds" in decision.reason


def test_a_boundary_and_a_session_policy_each_have_to_allow() -> None:
    query = Query("s3:GetObject", OBJECT, Context())
    everything, nothing = (read(allow("*", "*")),), (read(allow("iam:*")),)
    limited = evaluation.decide(Policies(everything, boundary=nothing), query)
    assert limited.reason == "because no permissions boundary allows the s3:GetObject action"
    limited = evaluation.decide(Policies(everything, session=nothing), query)
    assert limited.reason == "because no session policy allows the s3:GetObject action"
    assert evaluation.decide(Policies(everything, boundary=everything, session=everything), query).allowed


def test_a_resource_policy_grants_to_the_one_it_names_and_its_deny_wins() -> None:
    role = ("AWS", "arn:aws:iam::123456789012:role/r")
    query = Query("s3:GetObject", OBJECT, Context(), principals=frozenset({role}))
    named = allow(Principal={"AWS": role[1]})
    assert evaluation.decide(Policies((), resource=(read(named),)), query).allowed
    other = allow(Principal={"AWS": "arn:aws:iam::123456789012:role/s"})
    assert not evaluation.decide(Policies((), resource=(read(other),)), query).allowed
    everyone = allow(Principal="*")
    query = replace(query, principals=frozenset({role, ("AWS", "*")}), accounts=frozenset({("AWS", "123456789012")}))
    assert evaluation.decide(Policies((), resource=(read(everyone),)), query).allowed
    account = allow(Principal={"AWS": "123456789012"})
    assert not evaluation.decide(Policies((), resource=(read(account),)), query).allowed
    against = Policies((read(allow("*", "*")),), resource=(read({**account, "Effect": "Deny"}),))
    assert not evaluation.decide(against, query).allowed
    against = Policies((read(allow("*", "*")),), resource=(read({**named, "Effect": "Deny"}),))
    assert evaluation.decide(against, query).reason == "with an explicit deny in a resource-based policy"


def test_a_resource_that_cannot_be_named_is_allowed_by_a_policy_for_all_only_and_denied_by_any() -> None:
    query = Query("glue:StartCrawler", "*", Context(), resource_unknown=True)
    one = read(allow("glue:*", "arn:aws:glue:us-east-1:123456789012:crawler/a"))
    assert not evaluation.decide(Policies((one,)), query).allowed
    every = read(allow("glue:*", "*"))
    assert evaluation.decide(Policies((every,)), query).allowed
    against = read(deny("glue:*", "arn:aws:glue:us-east-1:123456789012:crawler/a"))
    assert not evaluation.decide(Policies((every, against)), query).allowed


def test_a_decision_takes_less_than_half_a_millisecond() -> None:
    statements = [allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::bucket-{i}/*", Sid=f"S{i}") for i in range(40)]
    conditions = {"StringLike": {"s3:prefix": ["a/*", "b/*"]}, "Bool": {"aws:SecureTransport": "true"}}
    policies = Policies((read(*statements, deny("s3:*", Condition=conditions)),))
    query = Query("s3:GetObject", "arn:aws:s3:::bucket-39/x", Context({"s3:prefix": ("c/",)}))
    evaluation.decide(policies, query)
    began = time.perf_counter()
    for _ in range(200):
        evaluation.decide(policies, query)
    assert (time.perf_counter() - began) / 200 < 0.0005
