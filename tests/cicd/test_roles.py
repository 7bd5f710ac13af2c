"""Each role can do its own work and nothing else: its policies evaluated, action by action."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from cicd.template import TEMPLATE

ROOT = Path(__file__).parents[2]
ACCOUNT = "us-east-1:123456789012"
ENDPOINT = f"arn:aws:sagemaker:{ACCOUNT}:endpoint/"
PIPELINE = f"arn:aws:sagemaker:{ACCOUNT}:pipeline/"
JOB = f"arn:aws:sagemaker:{ACCOUNT}:"
MODEL = f"arn:aws:sagemaker:{ACCOUNT}:model/"
CONFIG = f"arn:aws:sagemaker:{ACCOUNT}:endpoint-config/"
STACK = f"arn:aws:cloudformation:{ACCOUNT}:stack/"
ALARM = f"arn:aws:cloudwatch:{ACCOUNT}:alarm:"
ENDPOINT_LOG = f"arn:aws:logs:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/"
BUILD_LOG = f"arn:aws:logs:{ACCOUNT}:log-group:/aws/codebuild/"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
IMAGES = f"arn:aws:ecr:{ACCOUNT}:repository/"
TO_SAGEMAKER = {"iam:PassedToService": "sagemaker.amazonaws.com"}
TO_CLOUDFORMATION = {"iam:PassedToService": "cloudformation.amazonaws.com"}
BUILDS = ("ModelBuildRole", "ServingImageRole", "PackageRole", "SmokeTestStagingRole", "SmokeTestProdRole")
# What has no ARN, or is listed all or nothing.
WITHOUT_ARN = {
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "application-autoscaling:DeleteScalingPolicy",
    "application-autoscaling:DeregisterScalableTarget",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:RegisterScalableTarget",
}


@pytest.fixture(scope="module")
def places(deployed: Any) -> dict[str, str]:
    """What stands for what in the tables below."""
    outputs, resources = deployed.outputs(), deployed.resources()
    roles = {
        name: f"arn:aws:iam::123456789012:role/{value}" for name, value in resources.items() if name.endswith("Role")
    }
    return {
        **roles,
        "bucket": f"arn:aws:s3:::{outputs['ArtifactBucket']}",
        "releases": f"arn:aws:s3:::{outputs['PipelineBucket']}",
        "topic": outputs["NotificationTopicArn"],
        "connection": outputs["ConnectionArn"],
        "project": deployed.project,
        "projects": f"arn:aws:codebuild:{ACCOUNT}:project/{deployed.project}",
        "reports": f"arn:aws:codebuild:{ACCOUNT}:report-group/{deployed.project}",
    }


def may(cloud: Any, role: str, action: str, resource: str, context: dict[str, str] | None = None) -> bool:
    """What the policies of a role decide."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in (context or {}).items()
    ]
    answer = cloud.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )
    return answer["EvaluationResults"][0]["EvalDecision"] == "allowed"


@pytest.mark.parametrize(
    ("role", "action", "resource", "context"),
    [
        ("ModelBuildRole", "sagemaker:StartPipelineExecution", PIPELINE + "iris-tree-build", {}),
        ("ModelBuildRole", "sagemaker:CreatePipeline", PIPELINE + "iris-tree-build", {}),
        ("ModelBuildRole", "sagemaker:StopPipelineExecution", PIPELINE + "iris-tree-build/execution/abc", {}),
        ("ModelBuildRole", "iam:PassRole", "{JobRole}", TO_SAGEMAKER),
        ("ModelBuildRole", "s3:PutObject", "{bucket}/code/0123/prepare.py", {}),
        ("ModelBuildRole", "s3:ListBucket", "{bucket}", {"s3:prefix": "data/built-in/iris/"}),
        ("ModelBuildRole", "s3:ListBucket", "arn:aws:s3:::flowers", {"s3:prefix": "any"}),
        ("ModelBuildRole", "secretsmanager:GetSecretValue", SECRET + "mlflow-AbCdEf", {}),
        ("ModelBuildRole", "codebuild:CreateReport", "{reports}-model-build-tests", {}),
        ("JobRole", "secretsmanager:GetSecretValue", SECRET + "mlflow-AbCdEf", {}),
        ("JobRole", "sagemaker:CreateProcessingJob", JOB + "processing-job/pipelines-p4jn9xou8a8s-Prepare-cIpzSh", {}),
        # AWS writes some names small in ARNs.
        ("JobRole", "sagemaker:StopProcessingJob", JOB + "processing-job/pipelines-p4jn9xou8a8s-prepare-cipzsh", {}),
        (
            "JobRole",
            "sagemaker:StopHyperParameterTuningJob",
            JOB + "hyper-parameter-tuning-job/p4jn9xou8a8s-Tune-cIpzShs3Qp",
            {},
        ),
        (
            "JobRole",
            "sagemaker:CreateTrainingJob",
            JOB + "training-job/p4jn9xou8a8s-Tune-cIpzShs3Qp-001-0e830ada",
            {},
        ),
        (
            "ModelBuildRole",
            "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
            JOB + "hyper-parameter-tuning-job/p4jn9xou8a8s-Tune-cIpzShs3Qp",
            {},
        ),
        ("JobRole", "s3:GetObject", "arn:aws:s3:::flowers/train.csv", {}),
        ("JobRole", "iam:PassRole", "{JobRole}", TO_SAGEMAKER),
        ("EndpointRole", "s3:GetObject", "{bucket}/models/iris/x/model.tar.gz", {}),
        ("EndpointRole", "s3:PutObject", "{bucket}/capture/iris-prod/x.jsonl", {}),
        ("ServingImageRole", "ecr:PutImage", IMAGES + "{project}/serving", {}),
        ("ServingImageRole", "ecr:DescribeImages", IMAGES + "{project}/serving", {}),
        ("PackageRole", "secretsmanager:GetSecretValue", SECRET + "mlflow-AbCdEf", {}),
        ("PackageRole", "s3:PutObject", "{bucket}/models/iris/x/model.tar.gz", {}),
        ("PackageRole", "s3:PutObject", "{releases}/iris-model-deploy/Release/abc", {}),
        ("PackageRole", "s3:PutObject", "{releases}/cache/package/abc", {}),
        ("PackageRole", "cloudformation:DescribeStacks", STACK + "iris-tree-prod/abc", {}),
        ("SmokeTestStagingRole", "sagemaker:InvokeEndpoint", ENDPOINT + "iris-tree-staging", {}),
        ("SmokeTestProdRole", "sagemaker:InvokeEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("SmokeTestProdRole", "sagemaker:DescribeModel", MODEL + "iris-tree-prod-Model-x", {}),
        ("SmokeTestProdRole", "sagemaker:DescribeModel", MODEL + "Model-x", {}),
        ("SmokeTestProdRole", "secretsmanager:GetSecretValue", SECRET + "mlflow-AbCdEf", {}),
        ("StagingDeployRole", "sagemaker:CreateEndpoint", ENDPOINT + "iris-tree-staging", {}),
        ("StagingDeployRole", "sagemaker:CreateModel", MODEL + "iris-tree-staging-Model-x", {}),
        ("StagingDeployRole", "sagemaker:CreateModel", MODEL + "model-x", {}),
        ("StagingDeployRole", "sagemaker:CreateEndpointConfig", CONFIG + "endpointconfig-x", {}),
        ("StagingDeployRole", "sagemaker:DeleteEndpointConfig", CONFIG + "iris-tree-staging-EndpointConfig-x", {}),
        ("StagingDeployRole", "iam:PassRole", "{EndpointRole}", TO_SAGEMAKER),
        ("StagingDeployRole", "logs:CreateLogGroup", ENDPOINT_LOG + "iris-tree-staging", {}),
        ("ProdDeployRole", "cloudwatch:PutMetricAlarm", ALARM + "iris-tree-prod-latency", {}),
        (
            "ProdDeployRole",
            "cloudwatch:PutMetricAlarm",
            ALARM + "TargetTracking-endpoint/iris-tree-prod/variant/AllTraffic-AlarmHigh-0e83",
            {},
        ),
        ("ProdDeployRole", "sagemaker:UpdateEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("ProdDeployRole", "sagemaker:UpdateEndpoint", CONFIG + "EndpointConfig-x", {}),
        ("PipelineRole", "codebuild:StartBuild", "{projects}-package", {}),
        ("PipelineRole", "codeconnections:UseConnection", "{connection}", {}),
        ("PipelineRole", "iam:PassRole", "{ProdDeployRole}", TO_CLOUDFORMATION),
        ("PipelineRole", "cloudformation:UpdateStack", STACK + "iris-tree-prod/abc", {}),
        ("PipelineRole", "cloudformation:DeleteStack", STACK + "iris-tree-staging/abc", {}),
        ("PipelineRole", "sns:Publish", "{topic}", {}),
    ],
)
def test_a_role_can_do_its_work(
    cloud: Any, places: dict[str, str], role: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert may(cloud, places[role], action, resource.format_map(places), context)


@pytest.mark.parametrize(
    ("role", "action", "resource", "context"),
    [
        ("ModelBuildRole", "sagemaker:InvokeEndpoint", ENDPOINT + "iris-tree-staging", {}),
        ("ModelBuildRole", "sagemaker:CreateEndpoint", ENDPOINT + "iris-tree-staging", {}),
        ("ModelBuildRole", "sagemaker:StartPipelineExecution", PIPELINE + "others-build", {}),
        ("ModelBuildRole", "sagemaker:DeletePipeline", PIPELINE + "iris-tree-build", {}),
        ("ModelBuildRole", "iam:PassRole", "{EndpointRole}", TO_SAGEMAKER),
        ("ModelBuildRole", "iam:PassRole", "{JobRole}", TO_CLOUDFORMATION),
        ("ModelBuildRole", "s3:PutObject", "{bucket}/models/iris/x/model.tar.gz", {}),
        ("ModelBuildRole", "s3:PutObject", "{releases}/iris-model-deploy/Release/abc", {}),
        ("ModelBuildRole", "s3:PutObject", "{releases}/cache/package/abc", {}),
        ("ModelBuildRole", "secretsmanager:GetSecretValue", SECRET + "payroll-AbCdEf", {}),
        ("ModelBuildRole", "cloudformation:UpdateStack", STACK + "iris-tree-prod/abc", {}),
        ("JobRole", "s3:GetObject", "{bucket}/models/iris/x/model.tar.gz", {}),
        ("JobRole", "s3:GetObject", "{bucket}/capture/iris-prod/x.jsonl", {}),
        ("JobRole", "iam:PassRole", "{EndpointRole}", TO_SAGEMAKER),
        ("JobRole", "sagemaker:StopTrainingJob", JOB + "training-job/payroll", {}),
        ("JobRole", "sagemaker:CreateTrainingJob", JOB + "training-job/x", {}),
        ("JobRole", "sagemaker:DescribeTrainingJob", JOB + "training-job/pipelines-p4jn9xou8a8s-Train-cIpzShs3Qp", {}),
        # SageMaker stops the trials of a tuning job that is stopped.
        ("JobRole", "sagemaker:StopTrainingJob", JOB + "training-job/p4jn9xou8a8s-Tune-cIpzShs3Qp-001-0e830ada", {}),
        ("JobRole", "sagemaker:StopProcessingJob", JOB + "processing-job/pipelines-p4jn9xou8a8s-Evaluate-cIpzSh", {}),
        ("JobRole", "sagemaker:StopHyperParameterTuningJob", JOB + "hyper-parameter-tuning-job/payroll", {}),
        ("JobRole", "sagemaker:AddTags", JOB + "labeling-job/payroll", {}),
        ("EndpointRole", "s3:PutObject", "{bucket}/models/iris/x/model.tar.gz", {}),
        ("EndpointRole", "sagemaker:CreateTrainingJob", f"arn:aws:sagemaker:{ACCOUNT}:training-job/x", {}),
        ("EndpointRole", "secretsmanager:GetSecretValue", SECRET + "mlflow-AbCdEf", {}),
        ("ServingImageRole", "ecr:PutImage", IMAGES + "others/serving", {}),
        ("ServingImageRole", "secretsmanager:GetSecretValue", SECRET + "mlflow-AbCdEf", {}),
        ("ServingImageRole", "s3:GetObject", "{bucket}/models/iris/x/model.tar.gz", {}),
        ("PackageRole", "sagemaker:InvokeEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("PackageRole", "cloudformation:UpdateStack", STACK + "iris-tree-prod/abc", {}),
        ("PackageRole", "s3:PutObject", "{bucket}/code/0123/prepare.py", {}),
        ("PackageRole", "iam:PassRole", "{EndpointRole}", TO_SAGEMAKER),
        ("SmokeTestStagingRole", "sagemaker:InvokeEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("SmokeTestProdRole", "sagemaker:InvokeEndpoint", ENDPOINT + "iris-tree-staging", {}),
        ("SmokeTestProdRole", "sagemaker:InvokeEndpoint", ENDPOINT + "others-prod", {}),
        ("SmokeTestProdRole", "sagemaker:UpdateEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("StagingDeployRole", "sagemaker:UpdateEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("StagingDeployRole", "sagemaker:DeleteEndpoint", ENDPOINT + "iris-tree-prod", {}),
        ("StagingDeployRole", "iam:PassRole", "{JobRole}", TO_SAGEMAKER),
        ("StagingDeployRole", "sagemaker:DeleteEndpoint", ENDPOINT + "others-staging", {}),
        ("StagingDeployRole", "sagemaker:DeleteModel", MODEL + "prodModel-abc", {}),
        ("StagingDeployRole", "sagemaker:DeleteModel", MODEL + "others-staging-Model-abc", {}),
        ("StagingDeployRole", "sagemaker:DeleteModel", MODEL + "iris-tree-prod-Model-abc", {}),
        ("ProdDeployRole", "sagemaker:DeleteEndpointConfig", CONFIG + "iris-tree-staging-EndpointConfig-x", {}),
        ("StagingDeployRole", "logs:DeleteLogGroup", ENDPOINT_LOG + "others-iris-tree-staging", {}),
        ("StagingDeployRole", "logs:DeleteLogGroup", ENDPOINT_LOG + "iris-tree-staging-archive", {}),
        ("StagingDeployRole", "cloudwatch:DeleteAlarms", ALARM + "others-iris-tree-staging-latency", {}),
        ("StagingDeployRole", "cloudwatch:DeleteAlarms", ALARM + "iris-tree-prod-latency", {}),
        ("ProdDeployRole", "logs:DeleteLogGroup", ENDPOINT_LOG + "iris-tree-staging", {}),
        ("PipelineRole", "iam:PassRole", "{EndpointRole}", TO_SAGEMAKER),
        ("PipelineRole", "iam:PassRole", "{ProdDeployRole}", TO_SAGEMAKER),
        ("PipelineRole", "cloudformation:DeleteStack", STACK + "payroll/abc", {}),
        ("PipelineRole", "cloudformation:DeleteStack", STACK + "iris-tree-prod/abc", {}),
        ("PipelineRole", "codebuild:StartBuild", f"arn:aws:codebuild:{ACCOUNT}:project/others", {}),
        ("PipelineRole", "s3:GetObject", "{bucket}/models/iris/x/model.tar.gz", {}),
    ],
)
def test_a_role_can_do_nothing_else(
    cloud: Any, places: dict[str, str], role: str, action: str, resource: str, context: dict[str, str]
) -> None:
    assert not may(cloud, places[role], action, resource.format_map(places), context)


@pytest.mark.parametrize("role", BUILDS)
def test_builds_write_their_own_log_only(cloud: Any, places: dict[str, str], role: str) -> None:
    assert may(cloud, places[role], "logs:PutLogEvents", f"{BUILD_LOG}{places['project']}:log-stream:x")
    assert not may(cloud, places[role], "logs:PutLogEvents", f"{BUILD_LOG}others:log-stream:x")


@pytest.mark.parametrize("role", BUILDS)
def test_builds_keep_a_cache_of_their_own(cloud: Any, places: dict[str, str], role: str) -> None:
    tasks = {name: re.sub("(?<=[a-z])(?=[A-Z])", "-", name.removesuffix("Role")).lower() for name in BUILDS}
    for name, task in tasks.items():
        kept, own = f"{places['releases']}/cache/{task}/abc", name == role
        assert may(cloud, places[role], "s3:PutObject", kept) is own
        listed = {"s3:prefix": f"cache/{task}/abc"}
        assert may(cloud, places[role], "s3:ListBucket", places["releases"], listed) is own
    assert may(cloud, places[role], "s3:GetObject", f"{places['releases']}/cache/{tasks[role]}/abc")
    assert not may(cloud, places[role], "s3:ListBucket", places["releases"])
    assert not may(cloud, places[role], "s3:ListBucket", places["releases"], {"s3:prefix": "iris-model-deploy/"})


def test_jobs_are_found_by_the_names_of_the_steps_that_there_are() -> None:
    source = (ROOT / "model-build" / "model_build" / "steps.py").read_text()
    steps = re.findall(r'(?:Processing|Tuning)Step\(\s*"(\w+)"', source)
    assert steps == ["Prepare", "Tune"]
    template = TEMPLATE.read_text()
    # SageMaker cuts the name of a step at 7 characters in that of a tuning job, and may write it small.
    assert all(f"-?{step[1:7]}-*" in template for step in steps)


def test_no_role_is_granted_whole_services_or_everything(cloud: Any, places: dict[str, str]) -> None:
    iam, roles = cloud.client("iam"), [arn for name, arn in places.items() if name.endswith("Role")]
    assert len(roles) == 10
    for name in (arn.rpartition("/")[2] for arn in roles):
        assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                actions, resources = (
                    [value] if isinstance(value, str) else value
                    for value in (statement["Action"], statement["Resource"])
                )
                assert [action for action in actions if "*" in action and action != "kms:GenerateDataKey*"] == []
                assert "*" not in resources or set(actions) <= WITHOUT_ARN


def test_a_stage_cannot_be_deployed_with_the_role_of_another(cloud: Any, places: dict[str, str], deployed: Any) -> None:
    cloudformation, name = cloud.client("cloudformation"), f"iris-{deployed.project}-prod"
    template = {"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {}}}}
    template["Resources"]["Log"]["Properties"] = {"LogGroupName": f"/aws/sagemaker/Endpoints/{name}"}
    for role, ended in (("StagingDeployRole", "ROLLBACK_COMPLETE"), ("ProdDeployRole", "CREATE_COMPLETE")):
        stack = f"{name}-{ended.lower().replace('_', '-')}"
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template), RoleARN=places[role])
        waiter = cloudformation.get_waiter("stack_create_complete")
        with contextlib.suppress(WaiterError):
            waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert deployed.status(stack) == ended
        reasons = [
            event.get("ResourceStatusReason", "")
            for event in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        ]
        refused = any("not authorized to perform: logs:CreateLogGroup" in reason for reason in reasons)
        assert refused is (role == "StagingDeployRole")
