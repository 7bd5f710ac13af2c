"""AWS::SecretsManager: secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_TEMPLATE_KEYS = ("SecretStringTemplate", "GenerateStringKey")


@resource_type
class Secret(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html"""

    type_name = "AWS::SecretsManager::Secret"
    properties = frozenset(
        {"Description", "GenerateSecretString", "KmsKeyId", "Name", "ReplicaRegions", "SecretString", "Tags", "Type"}
    )
    replacing = frozenset({"Name"})
    recorded = frozenset({"KmsKeyId", "ReplicaRegions", "Type"})
    name_property = "Name"
    attribute_names = frozenset({"Id"})
    members = {
        "GenerateSecretString": frozenset(
            {
                *_TEMPLATE_KEYS,
                "ExcludeCharacters",
                "ExcludeLowercase",
                "ExcludeNumbers",
                "ExcludePunctuation",
                "ExcludeUppercase",
                "IncludeSpace",
                "PasswordLength",
                "RequireEachIncludedType",
            }
        )
    }

    def create(self, wanted: Wanted) -> str:
        request = api_request("secretsmanager", "CreateSecret", wanted.properties, "Description", "KmsKeyId", "Tags")
        text = self._text(wanted)
        if text is not None:
            request["SecretString"] = text
        name = wanted.name("Name", 512)
        return str(wanted.client("secretsmanager").create_secret(**{**request, "Name": name})["ARN"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        secrets = wanted.client("secretsmanager")
        request = api_request("secretsmanager", "UpdateSecret", wanted.properties, "Description", "KmsKeyId")
        generates, generated = wanted.properties.get("GenerateSecretString"), before.get("GenerateSecretString")
        # A generated secret stays as it is until the rule for generating it changes.
        if generates is None or generates != generated:
            text = self._text(wanted)
            if text is not None:
                request["SecretString"] = text
        secrets.update_secret(**{**request, "SecretId": physical_id})
        removed = tags_removed(before, wanted.properties)
        if removed:
            secrets.untag_resource(SecretId=physical_id, TagKeys=removed)
        if wanted.properties.get("Tags"):
            secrets.tag_resource(
                SecretId=physical_id, **api_request("secretsmanager", "TagResource", wanted.properties, "Tags")
            )

    def _text(self, wanted: Wanted) -> str | None:
        rule = wanted.properties.get("GenerateSecretString")
        if rule is None:
            text = wanted.properties.get("SecretString")
            return None if text is None else str(text)
        asked = {name: value for name, value in rule.items() if name not in _TEMPLATE_KEYS}
        request = api_request("secretsmanager", "GetRandomPassword", asked)
        password = str(wanted.client("secretsmanager").get_random_password(**request)["RandomPassword"])
        if "GenerateStringKey" not in rule:
            return password
        return json.dumps({**json.loads(rule.get("SecretStringTemplate", "{}")), rule["GenerateStringKey"]: password})

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        secrets = wanted.client("secretsmanager")
        try:
            secrets.delete_secret(SecretId=physical_id, ForceDeleteWithoutRecovery=True)
        except secrets.exceptions.ResourceNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}
