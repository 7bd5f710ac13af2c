"""A deployment: the pure function of a model version, its package and a stage's settings.
The same three always give the same stack parameters, so the same pin changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_deploy.errors import DeploymentError
from model_deploy.stage import Stage
from model_deploy.version import RegisteredVersion


@dataclass(frozen=True)
class Ground:
    """What every deployment of an account stands on: the bucket, the endpoint's role and the serving image."""

    bucket: str
    role_arn: str
    image: str


@dataclass(frozen=True)
class Deployment:
    """One stack as it should be: its name, which is the endpoint's too, and every parameter of endpoint.yaml."""

    stage: str
    stack_name: str
    parameters: Mapping[str, str]

    @property
    def tags(self) -> Mapping[str, str]:
        """The stack's tags, which CloudFormation hands on to what is in it: by them costs can be told apart.

        None of them changes from commit to commit, so that the same pin changes nothing.
        """
        return {"model": self.parameters["ModelName"], "stage": self.stage}

    @property
    def endpoint_name(self) -> str:
        """The name by which clients call the endpoint."""
        return self.stack_name


def deployment_of(
    version: RegisteredVersion, package_key: str, stage_name: str, stage: Stage, ground: Ground
) -> Deployment:
    """What a stage's stack should be for a model version.

    Raises:
        DeploymentError: the stage does not take a version of this tier.
    """
    if stage.tiers and version.tier not in stage.tiers:
        found = f"of tier {version.tier}" if version.tier else "without a tier: it was registered without the gate"
        raise DeploymentError(
            f"{stage_name} takes versions of tier {' or '.join(stage.tiers)}, but {version.model_name} version "
            f"{version.number} is {found}. Pin a version that qualifies, or change tiers in stages/{stage_name}.yaml."
        )
    endpoint_name = f"{version.model_name}-{stage_name}"
    scaling = stage.scaling
    parameters = {
        "ModelName": version.model_name,
        "ModelVersion": version.number,
        "ModelDataUrl": f"s3://{ground.bucket}/{package_key}",
        "ServingImage": ground.image,
        "ExecutionRoleArn": ground.role_arn,
        "EndpointName": endpoint_name,
        "Stage": stage_name,
        "InstanceType": stage.instance_type,
        "InstanceCount": stage.instance_count,
        "LogRetentionDays": stage.log_retention_days,
        "CaptureSamplingPercent": stage.capture.sampling_percent,
        # SageMaker adds the endpoint's name, the variant and the hour.
        "CaptureUri": f"s3://{ground.bucket}/capture",
        "CaptureKmsKeyId": stage.capture.kms_key_id,
        "ScalingMinimumInstances": scaling.minimum_instances if scaling else 1,
        "ScalingMaximumInstances": scaling.maximum_instances if scaling else 0,
        "ScalingInvocationsPerInstance": scaling.invocations_per_instance if scaling else 1,
        "UpdateRouting": stage.update.routing.upper(),
        "UpdateStepPercent": stage.update.step_percent,
        "UpdateWaitSeconds": stage.update.wait_seconds,
        "UpdateKeepOldSeconds": stage.update.keep_old_seconds,
        "UpdateTimeoutSeconds": stage.update.timeout_seconds,
        "AlarmServerErrors": stage.alarms.server_errors,
        "AlarmLatencyMicroseconds": stage.alarms.latency_milliseconds * 1000,
        "AlarmMinutes": stage.alarms.minutes,
        "AlarmTopicArn": stage.alarms.topic_arn,
    }
    return Deployment(stage_name, endpoint_name, {name: str(value) for name, value in parameters.items()})
