"""AWS::ECR: repositories of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, policy_text, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type


@resource_type
class Repository(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html"""

    type_name = "AWS::ECR::Repository"
    properties = frozenset(
        {
            "EmptyOnDelete",
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "ImageTagMutabilityExclusionFilters",
            "LifecyclePolicy",
            "RepositoryName",
            "RepositoryPolicyText",
            "Tags",
        }
    )
    replacing = frozenset({"EncryptionConfiguration", "RepositoryName"})
    recorded = frozenset(
        {
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutabilityExclusionFilters",
            "LifecyclePolicy",
        }
    )
    name_property = "RepositoryName"
    attribute_names = frozenset({"Arn", "RepositoryUri"})
    members = {"LifecyclePolicy": frozenset({"LifecyclePolicyText", "RegistryId"})}

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("RepositoryName", 256, lower=True)
        request = api_request(
            "ecr",
            "CreateRepository",
            wanted.properties,
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "Tags",
        )
        wanted.client("ecr").create_repository(**{**request, "repositoryName": name})
        self._put_policies(wanted, name, {})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        ecr = wanted.client("ecr")
        scanning = api_request(
            "ecr",
            "PutImageScanningConfiguration",
            {"ImageScanningConfiguration": {"ScanOnPush": False}, **wanted.properties},
        )
        ecr.put_image_scanning_configuration(**{**scanning, "repositoryName": physical_id})
        mutability = wanted.properties.get("ImageTagMutability", "MUTABLE")
        ecr.put_image_tag_mutability(repositoryName=physical_id, imageTagMutability=mutability)
        self._put_policies(wanted, physical_id, before)
        arn = self._describe(wanted, physical_id)["repositoryArn"]
        removed = tags_removed(before, wanted.properties)
        if removed:
            ecr.untag_resource(resourceArn=arn, tagKeys=removed)
        if wanted.properties.get("Tags"):
            ecr.tag_resource(resourceArn=arn, **api_request("ecr", "TagResource", wanted.properties, "Tags"))

    def _put_policies(self, wanted: Wanted, name: str, before: Mapping[str, Any]) -> None:
        ecr = wanted.client("ecr")
        lifecycle = (wanted.properties.get("LifecyclePolicy") or {}).get("LifecyclePolicyText")
        if lifecycle:
            ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy_text(lifecycle))
        elif (before.get("LifecyclePolicy") or {}).get("LifecyclePolicyText"):
            ecr.delete_lifecycle_policy(repositoryName=name)
        policy = wanted.properties.get("RepositoryPolicyText")
        if policy:
            ecr.set_repository_policy(repositoryName=name, policyText=policy_text(policy))
        elif before.get("RepositoryPolicyText"):
            ecr.delete_repository_policy(repositoryName=name)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        ecr = wanted.client("ecr")
        force = str(wanted.properties.get("EmptyOnDelete", False)).lower() == "true"
        try:
            ecr.delete_repository(repositoryName=physical_id, force=force)
        except ecr.exceptions.RepositoryNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = self._describe(wanted, physical_id)
        return {"Arn": found["repositoryArn"], "RepositoryUri": found["repositoryUri"]}

    def _describe(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found: dict[str, Any] = wanted.client("ecr").describe_repositories(repositoryNames=[physical_id])[
            "repositories"
        ][0]
        return found
