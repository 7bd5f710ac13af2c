"""AWS::Logs: log groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import tag_map, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type


@resource_type
class LogGroup(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html"""

    type_name = "AWS::Logs::LogGroup"
    properties = frozenset(
        {
            "DataProtectionPolicy",
            "FieldIndexPolicies",
            "KmsKeyId",
            "LogGroupClass",
            "LogGroupName",
            "RetentionInDays",
            "Tags",
        }
    )
    replacing = frozenset({"LogGroupName"})
    recorded = frozenset({"DataProtectionPolicy", "FieldIndexPolicies", "KmsKeyId", "LogGroupClass", "RetentionInDays"})
    name_property = "LogGroupName"
    attribute_names = frozenset({"Arn"})

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("LogGroupName", 512)
        request = {"logGroupName": name, "tags": tag_map(wanted.properties.get("Tags"))}
        if wanted.properties.get("KmsKeyId"):
            request["kmsKeyId"] = wanted.properties["KmsKeyId"]
        wanted.client("logs").create_log_group(**request)
        return name

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        days = wanted.properties.get("RetentionInDays")
        if days is not None:
            wanted.client("logs").put_retention_policy(logGroupName=physical_id, retentionInDays=int(days))

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        logs, removed = wanted.client("logs"), tags_removed(before, wanted.properties)
        arn = wanted.cloud.arn(f"log-group:{physical_id}", "logs")
        if removed:
            logs.untag_resource(resourceArn=arn, tagKeys=removed)
        if wanted.properties.get("Tags"):
            logs.tag_resource(resourceArn=arn, tags=tag_map(wanted.properties["Tags"]))
        if before.get("RetentionInDays") is not None and wanted.properties.get("RetentionInDays") is None:
            logs.delete_retention_policy(logGroupName=physical_id)
        if wanted.properties.get("KmsKeyId"):
            logs.associate_kms_key(logGroupName=physical_id, kmsKeyId=wanted.properties["KmsKeyId"])
        elif before.get("KmsKeyId"):
            logs.disassociate_kms_key(logGroupName=physical_id)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        logs = wanted.client("logs")
        try:
            logs.delete_log_group(logGroupName=physical_id)
        except logs.exceptions.ResourceNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": wanted.cloud.arn(f"log-group:{physical_id}:*", "logs")}
