"""AWS::CodeCommit: repositories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, tag_map, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_SERVICE = "codecommit"


@resource_type
class Repository(ResourceType):
    """A repository; its Ref is its id. `Code`, a first commit from S3, is refused: push to the repository instead.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html
    """

    type_name = "AWS::CodeCommit::Repository"
    properties = frozenset({"Code", "KmsKeyId", "RepositoryDescription", "RepositoryName", "Tags", "Triggers"})
    required = frozenset({"RepositoryName"})
    recorded = frozenset({"KmsKeyId", "Triggers"})
    name_property = "RepositoryName"
    attribute_names = frozenset({"Arn", "CloneUrlHttp", "CloneUrlSsh", "Name", "RepositoryId"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if properties.get("Code"):
            return "Property Code is not carried out by local-aws: push the first commit to the repository instead."
        return None

    def create(self, wanted: Wanted) -> str:
        request = api_request(
            _SERVICE, "CreateRepository", wanted.properties, "KmsKeyId", "RepositoryDescription", "RepositoryName"
        )
        tags = tag_map(wanted.properties.get("Tags"))
        made = wanted.client(_SERVICE).create_repository(**request, **({"tags": tags} if tags else {}))
        return str(made["repositoryMetadata"]["repositoryId"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        codecommit, name = wanted.client(_SERVICE), str(wanted.properties["RepositoryName"])
        if before["RepositoryName"] != name:
            codecommit.update_repository_name(oldName=before["RepositoryName"], newName=name)
        description = str(wanted.properties.get("RepositoryDescription") or "")
        codecommit.update_repository_description(repositoryName=name, repositoryDescription=description)
        arn, removed = wanted.cloud.arn(name, _SERVICE), tags_removed(before, wanted.properties)
        if removed:
            codecommit.untag_resource(resourceArn=arn, tagKeys=removed)
        if wanted.properties.get("Tags"):
            codecommit.tag_resource(resourceArn=arn, tags=tag_map(wanted.properties["Tags"]))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        codecommit = wanted.client(_SERVICE)
        try:
            codecommit.delete_repository(repositoryName=wanted.properties["RepositoryName"])
        except codecommit.exceptions.RepositoryDoesNotExistException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        name = wanted.properties["RepositoryName"]
        found = wanted.client(_SERVICE).get_repository(repositoryName=name)["repositoryMetadata"]
        ssh = f"ssh://git-codecommit.{wanted.cloud.settings.region}.amazonaws.com/v1/repos/{name}"
        return {
            "Arn": found["Arn"],
            "CloneUrlHttp": found["cloneUrlHttp"],
            "CloneUrlSsh": found.get("cloneUrlSsh", ssh),
            "Name": name,
            "RepositoryId": physical_id,
        }
