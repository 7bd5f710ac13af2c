"""Requests that hand a role to a service: who makes one must be allowed to pass that role to that service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_Passed = dict[str, tuple[str, tuple[str, ...]]]


def _same(service: str, member: str, *operations: str) -> _Passed:
    """Operations that pass the role in one member to a service."""
    return dict.fromkeys(operations, (service, (member,)))


# Operations, the members that hold roles ("[]": of each), and the service that gets them.
_PASSED: dict[str, _Passed] = {
    "sagemaker": {
        **_same("sagemaker.amazonaws.com", "RoleArn", "CreateTrainingJob", "CreateProcessingJob"),
        **_same("sagemaker.amazonaws.com", "RoleArn", "CreatePipeline", "UpdatePipeline", "StartPipelineExecution"),
        **_same("sagemaker.amazonaws.com", "ExecutionRoleArn", "CreateModel"),
        "CreateHyperParameterTuningJob": (
            "sagemaker.amazonaws.com",
            ("TrainingJobDefinition.RoleArn", "TrainingJobDefinitions[].RoleArn"),
        ),
    },
    "codebuild": {
        **_same("codebuild.amazonaws.com", "serviceRole", "CreateProject", "UpdateProject"),
        **_same("codebuild.amazonaws.com", "serviceRoleOverride", "StartBuild"),
    },
    "codepipeline": _same("codepipeline.amazonaws.com", "pipeline.roleArn", "CreatePipeline", "UpdatePipeline"),
    "cloudformation": _same(
        "cloudformation.amazonaws.com",
        "RoleARN",
        *("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ContinueUpdateRollback", "RollbackStack"),
    ),
    "events": {
        **_same("events.amazonaws.com", "Targets[].RoleArn", "PutTargets"),
        **_same("events.amazonaws.com", "RoleArn", "PutRule"),
    },
    "application-autoscaling": _same("application-autoscaling.amazonaws.com", "RoleARN", "RegisterScalableTarget"),
    "ecs": {"RegisterTaskDefinition": ("ecs-tasks.amazonaws.com", ("taskRoleArn", "executionRoleArn"))},
    "lambda": _same("lambda.amazonaws.com", "Role", "CreateFunction"),
    "ec2": _same("vpc-flow-logs.amazonaws.com", "DeliverLogsPermissionArn", "CreateFlowLogs"),
    "rds": _same("monitoring.rds.amazonaws.com", "MonitoringRoleArn", "CreateDBInstance"),
}


def of(service: str, operation: str, request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(role ARN, service principal) of each role that a request passes."""
    passed_to, paths = _PASSED.get(service, {}).get(operation, ("", ()))
    for path in paths:
        for role_arn in _values(request, path):
            yield role_arn, passed_to


def _values(value: Any, path: str) -> Iterator[str]:
    head, _, rest = path.partition(".")
    found = value.get(head.removesuffix("[]")) if isinstance(value, Mapping) else None
    for each in found if isinstance(found, list) else [found]:
        if each and rest:
            yield from _values(each, rest)
        elif each:
            yield str(each)
