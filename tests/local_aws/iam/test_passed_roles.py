"""Requests that hand a role to a service, each made by a role that may do it but not pass that role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.iam import passed_roles

ROLE = "arn:aws:iam::123456789012:role/passed"
DEFINITION = {"RoleArn": ROLE}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "to"),
    [
        ("sagemaker", "CreateTrainingJob", {"RoleArn": ROLE}, "sagemaker"),
        ("sagemaker", "CreateProcessingJob", {"RoleArn": ROLE}, "sagemaker"),
        ("sagemaker", "CreateHyperParameterTuningJob", {"TrainingJobDefinition": DEFINITION}, "sagemaker"),
        ("sagemaker", "CreateHyperParameterTuningJob", {"TrainingJobDefinitions": [DEFINITION]}, "sagemaker"),
        ("sagemaker", "CreateModel", {"ExecutionRoleArn": ROLE}, "sagemaker"),
        ("sagemaker", "CreatePipeline", {"RoleArn": ROLE}, "sagemaker"),
        ("sagemaker", "UpdatePipeline", {"RoleArn": ROLE}, "sagemaker"),
        ("codebuild", "CreateProject", {"serviceRole": ROLE}, "codebuild"),
        ("codebuild", "StartBuild", {"serviceRoleOverride": ROLE}, "codebuild"),
        ("codepipeline", "CreatePipeline", {"pipeline": {"roleArn": ROLE}}, "codepipeline"),
        ("codepipeline", "UpdatePipeline", {"pipeline": {"roleArn": ROLE}}, "codepipeline"),
        ("cloudformation", "CreateStack", {"RoleARN": ROLE}, "cloudformation"),
        ("cloudformation", "CreateChangeSet", {"RoleARN": ROLE}, "cloudformation"),
        ("events", "PutTargets", {"Targets": [{"RoleArn": ROLE}]}, "events"),
        ("ecs", "RegisterTaskDefinition", {"taskRoleArn": ROLE}, "ecs-tasks"),
    ],
)
def test_each_request_that_hands_over_a_role_is_known(
    service: str, operation: str, request_: dict[str, Any], to: str
) -> None:
    assert list(passed_roles.of(service, operation, request_)) == [(ROLE, f"{to}.amazonaws.com")]


def test_a_request_without_a_role_passes_none() -> None:
    assert list(passed_roles.of("cloudformation", "CreateStack", {"StackName": "s"})) == []
    assert list(passed_roles.of("sagemaker", "ListModels", {"RoleArn": ROLE})) == []


@pytest.mark.parametrize("passes", [False, True])
def test_a_stack_is_given_a_role_only_by_whom_may_pass_it(roles: Any, passes: bool) -> None:
    service = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    passed = roles.make(trust=service)
    may = {"Effect": "Allow", "Action": ["cloudformation:*", *(["iam:PassRole"] if passes else [])], "Resource": "*"}
    template = '{"Resources": {"Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}'
    asked = {"StackName": passed.rpartition("/")[2], "TemplateBody": template, "RoleARN": passed}
    refusal = refusal_of(roles.client(roles.make(may), "cloudformation").create_stack, asked)
    assert (f"iam:PassRole on resource: {passed}" in refusal) is not passes


def refusal_of(call: Callable[..., Any], request: dict[str, Any]) -> str:
    """The words in which a call is refused, or none."""
    try:
        call(**request)
    except ClientError as error:
        return str(error)
    return ""
