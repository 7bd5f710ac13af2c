"""Requests that hand a role to a service: who makes one must be allowed to pass that role to that service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Operations, the members that hold roles ("[]": of each), and the service that gets them.
_PASSED: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "sagemaker": {
        **dict.fromkeys(
            ("CreateTrainingJob", "CreateProcessingJob", "CreatePipeline", "UpdatePipeline", "StartPipelineExecution"),
            ("sagemaker.amazonaws.com", ("RoleArn",)),
        ),
        "CreateHyperParameterTuningJob": (
            "sagemaker.amazonaws.com",
            ("TrainingJobDefinition.RoleArn", "TrainingJobDefinitions[].RoleArn"),
        ),
        "CreateModel": ("sagemaker.amazonaws.com", ("ExecutionRoleArn",)),
    },
    "codebuild": dict.fromkeys(("CreateProject", "UpdateProject"), ("codebuild.amazonaws.com", ("serviceRole",)))
    | {"StartBuild": ("codebuild.amazonaws.com", ("serviceRoleOverride",))},
    "codepipeline": dict.fromkeys(
        ("CreatePipeline", "UpdatePipeline"), ("codepipeline.amazonaws.com", ("pipeline.roleArn",))
    ),
    "cloudformation": dict.fromkeys(
        ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ContinueUpdateRollback", "RollbackStack"),
        ("cloudformation.amazonaws.com", ("RoleARN",)),
    ),
    "events": {
        "PutTargets": ("events.amazonaws.com", ("Targets[].RoleArn",)),
        "PutRule": ("events.amazonaws.com", ("RoleArn",)),
    },
    "application-autoscaling": {
        "RegisterScalableTarget": ("application-autoscaling.amazonaws.com", ("RoleARN",)),
    },
    "ecs": {"RegisterTaskDefinition": ("ecs-tasks.amazonaws.com", ("taskRoleArn", "executionRoleArn"))},
    "lambda": {"CreateFunction": ("lambda.amazonaws.com", ("Role",))},
    "ec2": {"CreateFlowLogs": ("vpc-flow-logs.amazonaws.com", ("DeliverLogsPermissionArn",))},
    "rds": {"CreateDBInstance": ("monitoring.rds.amazonaws.com", ("MonitoringRoleArn",))},
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
