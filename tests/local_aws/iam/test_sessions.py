"""AssumeRole and the credentials it gives: whose they are, who gets them, and when they are no good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def trusting(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_session_is_named_by_its_role_and_itself(roles: Any) -> None:
    role = roles.make()
    given = roles.credentials(role)
    assert given["AccessKeyId"].startswith("ASIA")
    who = roles.signing(given, "sts").get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/tester"
    assert who["UserId"].endswith(":tester")
    assert who["UserId"].startswith("AROA")


def test_a_role_is_assumed_only_by_whom_its_trust_policy_names(roles: Any) -> None:
    role = roles.make(trust=trusting({"Service": "sagemaker.amazonaws.com"}))
    code, message = refused(roles.cloud.client("sts").assume_role, RoleArn=role, RoleSessionName="tester")
    assert code == "AccessDenied"
    assert f"arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:AssumeRole on resource: {role}" in message


def test_a_role_that_is_not_there_is_not_assumed(roles: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    code, _ = refused(roles.cloud.client("sts").assume_role, RoleArn=role, RoleSessionName="tester")
    assert code == "AccessDenied"


def test_an_external_id_must_be_the_one_the_trust_policy_asks_for(roles: Any) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    role = roles.make(trust=trusting({"AWS": ACCOUNT}, Condition=condition))
    sts = roles.cloud.client("sts")
    code, _ = refused(sts.assume_role, RoleArn=role, RoleSessionName="tester", ExternalId="other")
    assert code == "AccessDenied"
    assert roles.credentials(role, ExternalId="secret")["SessionToken"]


def test_a_session_must_not_last_longer_than_its_role_says(roles: Any) -> None:
    role = roles.make(MaxSessionDuration=3600)
    sts = roles.cloud.client("sts")
    code, message = refused(sts.assume_role, RoleArn=role, RoleSessionName="tester", DurationSeconds=7200)
    assert (code, "MaxSessionDuration" in message) == ("ValidationError", True)


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "wrong_token"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId", "InvalidToken"),
        ("sts", "get_caller_identity", "InvalidClientTokenId", "InvalidClientTokenId"),
        ("sagemaker", "list_models", "UnrecognizedClientException", "UnrecognizedClientException"),
        ("logs", "describe_log_groups", "UnrecognizedClientException", "UnrecognizedClientException"),
    ],
)
def test_keys_of_no_session_and_tokens_of_another_are_refused_in_the_words_of_the_service(
    roles: Any, service: str, operation: str, unknown: str, wrong_token: str
) -> None:
    given = roles.credentials(roles.make(EVERYTHING))
    client = roles.signing({**given, "AccessKeyId": "ASIAAAAAAAAAAAAAAAAA"}, service)
    assert refused(getattr(client, operation))[0] == unknown
    client = roles.signing({**given, "SessionToken": "another"}, service)
    assert refused(getattr(client, operation))[0] == wrong_token


def test_a_session_outlives_a_restart_of_the_cloud(roles_of: Any, restartable: Any) -> None:
    first = restartable()
    before = roles_of(first)
    given = before.credentials(before.make())
    first.stop()
    who = roles_of(restartable()).signing(given, "sts").get_caller_identity()
    assert who["Arn"].endswith("/tester")


def test_a_session_policy_narrows_what_the_role_may_do(roles: Any, bucket: str) -> None:
    role = roles.make(EVERYTHING)
    narrow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}'
    s3 = roles.client(role, "s3", Policy=narrow)
    s3.list_objects_v2(Bucket=bucket)
    code, message = refused(s3.put_object, Bucket=bucket, Key="k", Body=b"")
    assert (code, "because no session policy allows the s3:PutObject action" in message) == ("AccessDenied", True)


def test_a_role_assumes_another_where_both_agree(roles: Any) -> None:
    second = roles.make()
    code, message = refused(roles.client(roles.make(), "sts").assume_role, RoleArn=second, RoleSessionName="chained")
    assert (code, "no identity-based policy allows the sts:AssumeRole action" in message) == ("AccessDenied", True)
    first = roles.make({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": second})
    roles.client(first, "sts").assume_role(RoleArn=second, RoleSessionName="chained")


def test_a_trust_policy_that_names_a_role_is_enough_for_it(roles: Any) -> None:
    first = roles.make()
    second = roles.make(trust=trusting({"AWS": first}))
    roles.client(first, "sts").assume_role(RoleArn=second, RoleSessionName="chained")
    assert refused(roles.client(roles.make(EVERYTHING), "sts").assume_role, RoleArn=second, RoleSessionName="other")[0]


def test_what_a_service_does_not_say_of_itself_is_named(roles: Any) -> None:
    """CodeBuild is asked here without the project that a trust policy may ask for."""
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:*:{ACCOUNT}:project/*"}}
    role = roles.make(trust=trusting({"Service": "codebuild.amazonaws.com"}, Condition=condition))
    project = {
        "name": f"project-{role[-8:]}",
        "source": {"type": "NO_SOURCE", "buildspec": '{"version": "0.2", "phases": {"build": {"commands": ["true"]}}}'},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
    }
    code, message = refused(roles.cloud.client("codebuild").create_project, **project, serviceRole=role)
    assert (code, "aws:SourceArn" in message) == ("InvalidInputException", True)
