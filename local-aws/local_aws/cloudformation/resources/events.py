"""AWS::Events: rules and what they set off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, shaped, tags_removed
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type
from local_aws.contract import service_model

_SERVICE = "events"
_DEFAULT_BUS = "default"


@resource_type
class Rule(ResourceType):
    """A rule; its Ref is its name, `<bus>|<name>` on a bus that is not the default one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
    """

    type_name = "AWS::Events::Rule"
    properties = frozenset(
        {
            "Description",
            "EventBusName",
            "EventPattern",
            "Name",
            "RoleArn",
            "ScheduleExpression",
            "State",
            "Tags",
            "Targets",
        }
    )
    replacing = frozenset({"EventBusName", "Name"})
    # Events here are those of the services of this cloud; no clock emits any, and what fails is not sent again.
    recorded = frozenset(
        {
            "RoleArn",
            "ScheduleExpression",
            "Targets.AppSyncParameters",
            "Targets.BatchParameters",
            "Targets.DeadLetterConfig",
            "Targets.EcsParameters",
            "Targets.HttpParameters",
            "Targets.KinesisParameters",
            "Targets.RedshiftDataParameters",
            "Targets.RetryPolicy",
            "Targets.RunCommandParameters",
            "Targets.SageMakerPipelineParameters",
        }
    )
    name_property = "Name"
    attribute_names = frozenset({"Arn"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        targets = properties.get("Targets") or []
        if not all(isinstance(target, Mapping) and {"Arn", "Id"} <= set(target) for target in targets):
            return "Every item of Targets must have Arn and Id."
        if not properties.get("EventPattern") and not properties.get("ScheduleExpression"):
            return "At least one of EventPattern and ScheduleExpression must be given."
        return None

    def create(self, wanted: Wanted) -> str:
        name, bus = wanted.name("Name", 64), wanted.properties.get("EventBusName") or _DEFAULT_BUS
        self._put(wanted, name, "Tags")
        return name if bus == _DEFAULT_BUS else f"{bus}|{name}"

    def _put(self, wanted: Wanted, name: str, *more: str) -> None:
        request = api_request(
            _SERVICE,
            "PutRule",
            wanted.properties,
            "Description",
            "EventBusName",
            "EventPattern",
            "RoleArn",
            "ScheduleExpression",
            "State",
            *more,
        )
        wanted.client(_SERVICE).put_rule(**{**request, "Name": name})

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        shape = service_model(_SERVICE).shape_for("Target")
        targets = [shaped(target, shape) for target in wanted.properties.get("Targets") or []]
        if not targets:
            return
        refused = wanted.client(_SERVICE).put_targets(**_rule(physical_id), Targets=targets).get("FailedEntries")
        if refused:
            raise ResourceFailed(f"Target {refused[0]['TargetId']}: {refused[0].get('ErrorMessage', 'refused')}")

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        events = wanted.client(_SERVICE)
        self._put(wanted, physical_id.rpartition("|")[2])
        gone = sorted(_ids(before) - _ids(wanted.properties))
        if gone:
            events.remove_targets(**_rule(physical_id), Ids=gone)
        arn, removed = self.attributes(wanted, physical_id)["Arn"], tags_removed(before, wanted.properties)
        if removed:
            events.untag_resource(ResourceARN=arn, TagKeys=removed)
        if wanted.properties.get("Tags"):
            events.tag_resource(ResourceARN=arn, **api_request(_SERVICE, "TagResource", wanted.properties, "Tags"))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        events, rule = wanted.client(_SERVICE), _rule(physical_id)
        try:
            targets = sorted(_ids(wanted.properties))
            if targets:
                events.remove_targets(**rule, Ids=targets)
            events.delete_rule(**_named(rule))
        except events.exceptions.ResourceNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": wanted.cloud.arn(f"rule/{physical_id.replace('|', '/')}", _SERVICE)}


def _rule(physical_id: str) -> dict[str, str]:
    """What names a rule to the operations upon its targets."""
    bus, _, name = physical_id.rpartition("|")
    return {"Rule": name, **({"EventBusName": bus} if bus else {})}


def _named(rule: Mapping[str, str]) -> dict[str, str]:
    return {("Name" if key == "Rule" else key): value for key, value in rule.items()}


def _ids(properties: Mapping[str, Any]) -> set[str]:
    return {str(target["Id"]) for target in properties.get("Targets") or []}
