"""AWS::ApplicationAutoScaling: scalable targets and their policies, which are kept, though nothing scales here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_SERVICE = "application-autoscaling"
_TARGET_KEYS = ("ResourceId", "ScalableDimension", "ServiceNamespace")


@resource_type
class ScalableTarget(ResourceType):
    """What may be scaled, and between which bounds; its Ref is `<resource id>|<dimension>|<namespace>`.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-applicationautoscaling-scalabletarget.html
    """

    type_name = "AWS::ApplicationAutoScaling::ScalableTarget"
    properties = frozenset(
        {
            "MaxCapacity",
            "MinCapacity",
            "ResourceId",
            "RoleARN",
            "ScalableDimension",
            "ScheduledActions",
            "ServiceNamespace",
            "SuspendedState",
        }
    )
    required = frozenset({"MaxCapacity", "MinCapacity", *_TARGET_KEYS})
    replacing = frozenset(_TARGET_KEYS)
    recorded = frozenset({"MaxCapacity", "MinCapacity", "RoleARN", "ScheduledActions", "SuspendedState"})
    attribute_names = frozenset({"Id"})

    def create(self, wanted: Wanted) -> str:
        self._register(wanted)
        return "|".join(str(wanted.properties[key]) for key in _TARGET_KEYS)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._register(wanted)

    def _register(self, wanted: Wanted) -> None:
        request = api_request(_SERVICE, "RegisterScalableTarget", wanted.properties)
        wanted.client(_SERVICE).register_scalable_target(**request)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        autoscaling = wanted.client(_SERVICE)
        try:
            autoscaling.deregister_scalable_target(**_target(physical_id))
        except (autoscaling.exceptions.ObjectNotFoundException, autoscaling.exceptions.ValidationException):
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}


@resource_type
class ScalingPolicy(ResourceType):
    """How a target is scaled; its Ref is the policy's ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-applicationautoscaling-scalingpolicy.html
    """

    type_name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    properties = frozenset(
        {
            "PolicyName",
            "PolicyType",
            "PredictiveScalingPolicyConfiguration",
            "ResourceId",
            "ScalableDimension",
            "ScalingTargetId",
            "ServiceNamespace",
            "StepScalingPolicyConfiguration",
            "TargetTrackingScalingPolicyConfiguration",
        }
    )
    required = frozenset({"PolicyName", "PolicyType"})
    replacing = frozenset({"PolicyName", "ScalingTargetId", *_TARGET_KEYS})
    recorded = frozenset(
        {
            "PredictiveScalingPolicyConfiguration",
            "StepScalingPolicyConfiguration",
            "TargetTrackingScalingPolicyConfiguration",
        }
    )
    attribute_names = frozenset({"Arn", "PolicyName"})

    def create(self, wanted: Wanted) -> str:
        return self._put(wanted)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._put(wanted)

    def _put(self, wanted: Wanted) -> str:
        request = api_request(_SERVICE, "PutScalingPolicy", wanted.properties)
        return str(wanted.client(_SERVICE).put_scaling_policy(**{**request, **_target_of(wanted)})["PolicyARN"])

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        autoscaling = wanted.client(_SERVICE)
        try:
            autoscaling.delete_scaling_policy(PolicyName=wanted.properties["PolicyName"], **_target_of(wanted))
        except (autoscaling.exceptions.ObjectNotFoundException, autoscaling.exceptions.ValidationException):
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": physical_id, "PolicyName": wanted.properties["PolicyName"]}


def _target(scaling_target_id: str) -> dict[str, str]:
    return dict(zip(_TARGET_KEYS, scaling_target_id.split("|"), strict=False))


def _target_of(wanted: Wanted) -> dict[str, str]:
    given = wanted.properties.get("ScalingTargetId")
    target = (
        _target(str(given))
        if given
        else {key: wanted.properties[key] for key in _TARGET_KEYS if key in wanted.properties}
    )
    if set(target) != set(_TARGET_KEYS):
        raise ResourceFailed(
            "Specify either ScalingTargetId or all of ResourceId, ScalableDimension and ServiceNamespace."
        )
    return target
