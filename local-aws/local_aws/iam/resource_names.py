"""The resources of each service's operations: which member of a request names one, and what its ARN then is.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NONE = ("*",)


@dataclass(frozen=True)
class Names:
    """How requests to one service name resources.

    `members` are members of requests in the order in which they are looked for, each with the end of the ARN (after the
    account; `{}` stands for the value). `operations` are those that need other ones, or several: templates of named
    members, or `NONE` where the operation has no resource. `unnamed` is what an operation means that names nothing.
    """

    members: Mapping[str, str]
    operations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unnamed: Mapping[str, str] = field(default_factory=dict)
    global_: bool = False


_CONNECTIONS = Names(
    {"ConnectionArn": "{}", "ResourceArn": "{}", "HostArn": "{}", "RepositoryLinkId": "{}"},
    unnamed={"CreateConnection": "*", "CreateHost": "*"},
)

NAMES: dict[str, Names] = {
    "sagemaker": Names(
        {
            "TrainingJobName": "training-job/{}",
            "ProcessingJobName": "processing-job/{}",
            "TransformJobName": "transform-job/{}",
            "HyperParameterTuningJobName": "hyper-parameter-tuning-job/{}",
            "EndpointName": "endpoint/{}",
            "EndpointConfigName": "endpoint-config/{}",
            "ModelName": "model/{}",
            "PipelineExecutionArn": "{}",
            "PipelineName": "pipeline/{}",
            "ModelPackageName": "model-package/{}",
            "ModelPackageArn": "{}",
            "ModelPackageGroupName": "model-package-group/{}",
            "ProjectName": "project/{}",
            "ResourceArn": "{}",
        },
        {
            "CreateEndpoint": ("endpoint/{EndpointName}", "endpoint-config/{EndpointConfigName}"),
            "UpdateEndpoint": ("endpoint/{EndpointName}", "endpoint-config/{EndpointConfigName}"),
            "CreateModelPackage": ("model-package/{ModelPackageGroupName}/*",),
            "ListModelPackages": NONE,
            "ListEndpointConfigs": NONE,
        },
    ),
    "secretsmanager": Names({"SecretId": "secret:{}", "Name": "secret:{}"}, {"GetRandomPassword": NONE}),
    "ssm": Names(
        {"Name": "parameter/{}", "Names": "parameter/{}", "Path": "parameter/{}"}, {"DescribeParameters": NONE}
    ),
    "ecr": Names(
        {
            "repositoryName": "repository/{}",
            "repositoryNames": "repository/{}",
            "resourceArn": "{}",
        },
        {"GetAuthorizationToken": NONE},
        {"DescribeRepositories": "repository/*"},
    ),
    "codebuild": Names(
        {
            "projectName": "project/{}",
            "names": "project/{}",
            "name": "project/{}",
            "id": "build/{}",
            "ids": "build/{}",
            "reportGroupArn": "{}",
            "reportGroupArns": "{}",
            "reportArns": "{}",
            "arn": "{}",
        },
        {"CreateReportGroup": ("report-group/{name}",), "ImportSourceCredentials": NONE},
    ),
    "codepipeline": Names(
        {
            "pipeline.name": "{}",
            "pipelineName": "{}",
            "name": "{}",
            "resourceArn": "{}",
        },
        {
            "PutApprovalResult": ("{pipelineName}/{stageName}/{actionName}",),
            "EnableStageTransition": ("{pipelineName}/{stageName}",),
            "DisableStageTransition": ("{pipelineName}/{stageName}",),
            "RetryStageExecution": ("{pipelineName}/{stageName}",),
            "RollbackStage": ("{pipelineName}/{stageName}",),
        },
    ),
    "codeconnections": _CONNECTIONS,
    "codestar-connections": _CONNECTIONS,
    "codecommit": Names(
        {"repositoryName": "{}", "repositoryNames": "{}", "resourceArn": "{}"}, {"ListRepositories": NONE}
    ),
    "iam": Names(
        {
            "RoleName": "role/{}",
            "PolicySourceArn": "{}",
            "UserName": "user/{}",
            "GroupName": "group/{}",
            "InstanceProfileName": "instance-profile/{}",
            "PolicyArn": "{}",
            "PolicyName": "policy/{}",
        },
        {"CreateServiceLinkedRole": ("role/aws-service-role/{AWSServiceName}/*",)},
        global_=True,
    ),
    "sns": Names({"TopicArn": "{}", "TargetArn": "{}", "SubscriptionArn": "{}", "ResourceArn": "{}", "Name": "{}"}),
    "sqs": Names({"QueueUrl": "{}", "QueueName": "{}"}),
    "events": Names(
        {"Rule": "rule/{}", "Name": "rule/{}", "ResourceARN": "{}"},
        {"PutEvents": ("event-bus/default",), "TestEventPattern": NONE},
    ),
    "kms": Names({"KeyId": "key/{}"}, {"CreateKey": NONE, "GenerateRandom": NONE}),
    "cloudwatch": Names(
        {
            "AlarmName": "alarm:{}",
            "AlarmNames": "alarm:{}",
            "DashboardName": "dashboard/{}",
            "DashboardNames": "dashboard/{}",
            "ResourceARN": "{}",
        },
        unnamed={"DescribeAlarms": "alarm:*", "PutMetricData": "*"},
    ),
    "application-autoscaling": Names(
        {"ResourceARN": "{}"},
        unnamed=dict.fromkeys(
            (
                *("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy"),
                *("PutScheduledAction", "DeleteScheduledAction"),
            ),
            "scalable-target/*",
        ),
    ),
    "logs": Names(
        {"logGroupName": "{}", "logGroupIdentifier": "{}", "logGroupNames": "{}", "resourceArn": "{}"},
        unnamed={"DescribeLogGroups": ""},
    ),
    "cloudformation": Names({"StackName": "{}", "ChangeSetName": "{}"}, {"ValidateTemplate": NONE}),
    "sts": Names({"RoleArn": "{}"}, {"DecodeAuthorizationMessage": NONE, "GetSessionToken": NONE}),
}
# Operations that only look and name nothing are asked of all resources; others that name nothing are not known.
LOOKS_ONLY = ("Describe", "List", "Get", "BatchGet", "Search")
