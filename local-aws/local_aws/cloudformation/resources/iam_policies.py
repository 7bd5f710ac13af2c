"""AWS::IAM: policies, inline in roles, users and groups, or managed ones of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, policy_text
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_HOLDERS = {"Roles": "role", "Users": "user", "Groups": "group"}
_VERSIONS = 5


def _holders(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whom a policy is for: (role, user or group; name)."""
    for key, kind in _HOLDERS.items():
        for name in properties.get(key) or []:
            yield kind, str(name)


@resource_type
class Policy(ResourceType):
    """An inline policy; its Ref is the policy's name.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html
    """

    type_name = "AWS::IAM::Policy"
    properties = frozenset({"PolicyDocument", "PolicyName", *_HOLDERS})
    required = frozenset({"PolicyDocument", "PolicyName"})
    replacing = frozenset({"PolicyName"})
    attribute_names = frozenset({"Id"})

    def create(self, wanted: Wanted) -> str:
        if not list(_holders(wanted.properties)):
            raise ResourceFailed("At least one of [Groups,Roles,Users] must be non-empty.")
        return str(wanted.properties["PolicyName"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        iam, document = wanted.client("iam"), policy_text(wanted.properties["PolicyDocument"])
        for kind, name in _holders(wanted.properties):
            put = getattr(iam, f"put_{kind}_policy")
            put(PolicyName=physical_id, PolicyDocument=document, **{f"{kind.capitalize()}Name": name})

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._remove(wanted, physical_id, set(_holders(before)) - set(_holders(wanted.properties)))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        self._remove(wanted, physical_id, set(_holders(wanted.properties)))

    def _remove(self, wanted: Wanted, physical_id: str, holders: set[tuple[str, str]]) -> None:
        iam = wanted.client("iam")
        for kind, name in sorted(holders):
            try:
                getattr(iam, f"delete_{kind}_policy")(PolicyName=physical_id, **{f"{kind.capitalize()}Name": name})
            except iam.exceptions.NoSuchEntityException:
                continue

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}


@resource_type
class ManagedPolicy(ResourceType):
    """A managed policy; its Ref is its ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html
    """

    type_name = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"Description", "ManagedPolicyName", "Path", "PolicyDocument", *_HOLDERS})
    required = frozenset({"PolicyDocument"})
    replacing = frozenset({"Description", "ManagedPolicyName", "Path"})
    name_property = "ManagedPolicyName"
    attribute_names = frozenset({"PolicyArn", "PolicyId"})

    def create(self, wanted: Wanted) -> str:
        request = api_request("iam", "CreatePolicy", wanted.properties)
        request["PolicyName"] = wanted.name("ManagedPolicyName", 128)
        request["PolicyDocument"] = policy_text(wanted.properties["PolicyDocument"])
        return str(wanted.client("iam").create_policy(**request)["Policy"]["Arn"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        iam = wanted.client("iam")
        for kind, name in _holders(wanted.properties):
            getattr(iam, f"attach_{kind}_policy")(PolicyArn=physical_id, **{f"{kind.capitalize()}Name": name})

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        iam, document = wanted.client("iam"), policy_text(wanted.properties["PolicyDocument"])
        self._detach(iam, physical_id, set(_holders(before)) - set(_holders(wanted.properties)))
        versions = iam.list_policy_versions(PolicyArn=physical_id)["Versions"]
        unused = [version for version in versions if not version["IsDefaultVersion"]]
        if len(versions) >= _VERSIONS:
            oldest = min(unused, key=lambda version: version["CreateDate"])
            iam.delete_policy_version(PolicyArn=physical_id, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=physical_id, PolicyDocument=document, SetAsDefault=True)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        iam = wanted.client("iam")
        try:
            self._detach(iam, physical_id, set(_holders(wanted.properties)))
            for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
            iam.delete_policy(PolicyArn=physical_id)
        except iam.exceptions.NoSuchEntityException:
            return

    def _detach(self, iam: Any, arn: str, holders: set[tuple[str, str]]) -> None:
        for kind, name in sorted(holders):
            try:
                getattr(iam, f"detach_{kind}_policy")(PolicyArn=arn, **{f"{kind.capitalize()}Name": name})
            except iam.exceptions.NoSuchEntityException:
                continue

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {
            "PolicyArn": physical_id,
            "PolicyId": wanted.client("iam").get_policy(PolicyArn=physical_id)["Policy"]["PolicyId"],
        }
