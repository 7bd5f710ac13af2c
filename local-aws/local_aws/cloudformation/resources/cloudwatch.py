"""AWS::CloudWatch: alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

# The one namespace whose alarms are compared with what happens here: `sagemaker/alarms.py`.
_COMPARED = "AWS/SageMaker"


@resource_type
class Alarm(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html"""

    type_name = "AWS::CloudWatch::Alarm"
    properties = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluateLowSampleCountPercentile",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "ThresholdMetricId",
            "TreatMissingData",
            "Unit",
        }
    )
    required = frozenset({"ComparisonOperator", "EvaluationPeriods"})
    replacing = frozenset({"AlarmName"})
    # An alarm can roll an endpoint's update back; nobody is told of it.
    recorded = frozenset(
        {
            "AlarmActions",
            "EvaluateLowSampleCountPercentile",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "Metrics",
            "OKActions",
            "ThresholdMetricId",
            "Unit",
        }
    )
    name_property = "AlarmName"
    attribute_names = frozenset({"Arn"})

    def remarks(self, properties: Mapping[str, Any]) -> list[str]:
        namespace = properties.get("Namespace", _COMPARED)
        never = [f"an alarm on metrics of {namespace} is never compared by local-aws: it keeps the state it is set to"]
        return [*super().remarks(properties), *(never if namespace != _COMPARED else [])]

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("AlarmName", 255)
        self._put(wanted, name)
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._put(wanted, physical_id)
        removed = tags_removed(before, wanted.properties)
        arn = self.attributes(wanted, physical_id)["Arn"]
        if removed:
            wanted.client("cloudwatch").untag_resource(ResourceARN=arn, TagKeys=removed)
        if wanted.properties.get("Tags"):
            tags = api_request("cloudwatch", "TagResource", wanted.properties, "Tags")
            wanted.client("cloudwatch").tag_resource(ResourceARN=arn, **tags)

    def _put(self, wanted: Wanted, name: str) -> None:
        request = api_request("cloudwatch", "PutMetricAlarm", wanted.properties)
        wanted.client("cloudwatch").put_metric_alarm(**{**request, "AlarmName": name})

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        wanted.client("cloudwatch").delete_alarms(AlarmNames=[physical_id])

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": wanted.cloud.arn(f"alarm:{physical_id}", "cloudwatch")}
