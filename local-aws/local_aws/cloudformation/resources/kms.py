"""AWS::KMS: keys and their aliases. They encrypt what is given to them; no other service encrypts with them here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, policy_text, tags_removed
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_SERVICE = "kms"


@resource_type
class Key(ResourceType):
    """A key; its Ref is its id. One that goes is scheduled for deletion, as on AWS.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
    """

    type_name = "AWS::KMS::Key"
    properties = frozenset(
        {
            "BypassPolicyLockoutSafetyCheck",
            "Description",
            "EnableKeyRotation",
            "Enabled",
            "KeyPolicy",
            "KeySpec",
            "KeyUsage",
            "MultiRegion",
            "Origin",
            "PendingWindowInDays",
            "RotationPeriodInDays",
            "Tags",
        }
    )
    replacing = frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"})
    recorded = frozenset({"BypassPolicyLockoutSafetyCheck", "EnableKeyRotation", "RotationPeriodInDays"})
    attribute_names = frozenset({"Arn", "KeyId"})

    def create(self, wanted: Wanted) -> str:
        request = api_request(
            _SERVICE, "CreateKey", wanted.properties, "Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin"
        )
        rows = [{"TagKey": row["Key"], "TagValue": row["Value"]} for row in wanted.properties.get("Tags") or []]
        made = wanted.client(_SERVICE).create_key(**request, **({"Tags": rows} if rows else {}))
        return str(made["KeyMetadata"]["KeyId"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        kms, after = wanted.client(_SERVICE), wanted.properties
        if after.get("KeyPolicy"):
            kms.put_key_policy(KeyId=physical_id, PolicyName="default", Policy=policy_text(after["KeyPolicy"]))
        if _rotates(after):
            kms.enable_key_rotation(KeyId=physical_id)
        if not _is_enabled(after):
            kms.disable_key(KeyId=physical_id)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        kms = wanted.client(_SERVICE)
        kms.update_key_description(KeyId=physical_id, Description=str(wanted.properties.get("Description") or ""))
        if _is_enabled(wanted.properties) and not _is_enabled(before):
            kms.enable_key(KeyId=physical_id)
        if _rotates(before) and not _rotates(wanted.properties):
            kms.disable_key_rotation(KeyId=physical_id)
        removed = tags_removed(before, wanted.properties)
        if removed:
            kms.untag_resource(KeyId=physical_id, TagKeys=removed)
        rows = [{"TagKey": row["Key"], "TagValue": row["Value"]} for row in wanted.properties.get("Tags") or []]
        if rows:
            kms.tag_resource(KeyId=physical_id, Tags=rows)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        kms, days = wanted.client(_SERVICE), int(wanted.properties.get("PendingWindowInDays") or 30)
        try:
            if kms.describe_key(KeyId=physical_id)["KeyMetadata"]["KeyState"] != "PendingDeletion":
                kms.schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days)
        except kms.exceptions.NotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": wanted.cloud.arn(f"key/{physical_id}", _SERVICE), "KeyId": physical_id}


def _rotates(properties: Mapping[str, Any]) -> bool:
    return bool(canonical(properties.get("EnableKeyRotation")) == "true")


def _is_enabled(properties: Mapping[str, Any]) -> bool:
    return bool(canonical(properties.get("Enabled", True)) == "true")


@resource_type
class Alias(ResourceType):
    """Another name of a key.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-alias.html
    """

    type_name = "AWS::KMS::Alias"
    properties = frozenset({"AliasName", "TargetKeyId"})
    required = properties
    replacing = frozenset({"AliasName"})
    name_property = "AliasName"

    def create(self, wanted: Wanted) -> str:
        wanted.client(_SERVICE).create_alias(**api_request(_SERVICE, "CreateAlias", wanted.properties))
        return str(wanted.properties["AliasName"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        wanted.client(_SERVICE).update_alias(**api_request(_SERVICE, "UpdateAlias", wanted.properties))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        kms = wanted.client(_SERVICE)
        try:
            kms.delete_alias(AliasName=physical_id)
        except kms.exceptions.NotFoundException:
            return
