"""AWS::IAM: roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, policy_text, tags_removed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type


@resource_type
class Role(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html"""

    type_name = "AWS::IAM::Role"
    properties = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    required = frozenset({"AssumeRolePolicyDocument"})
    replacing = frozenset({"Path", "RoleName"})
    name_property = "RoleName"
    attribute_names = frozenset({"Arn", "RoleId"})
    members = {"Policies": frozenset({"PolicyDocument", "PolicyName"})}

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        policies = properties.get("Policies") or []
        if not isinstance(policies, list) or not all(_is_policy(policy) for policy in policies):
            return "Value of property Policies must be a list of objects with PolicyName and PolicyDocument"
        if not isinstance(properties.get("ManagedPolicyArns") or [], list):
            return "Value of property ManagedPolicyArns must be of type List of String"
        return None

    def create(self, wanted: Wanted) -> str:
        request = api_request("iam", "CreateRole", wanted.properties)
        name = wanted.name("RoleName", 64)
        wanted.client("iam").create_role(**{**request, "RoleName": name})
        return name

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        """Policies are attached once the role has its id, so that one that will not attach leaves no role behind."""
        iam = wanted.client("iam")
        for policy in wanted.properties.get("Policies") or []:
            iam.put_role_policy(
                RoleName=physical_id,
                PolicyName=policy["PolicyName"],
                PolicyDocument=policy_text(policy["PolicyDocument"]),
            )
        for arn in wanted.properties.get("ManagedPolicyArns") or []:
            iam.attach_role_policy(RoleName=physical_id, PolicyArn=arn)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        iam, after = wanted.client("iam"), wanted.properties
        trust = after["AssumeRolePolicyDocument"]
        if trust != before["AssumeRolePolicyDocument"]:
            iam.update_assume_role_policy(RoleName=physical_id, PolicyDocument=policy_text(_versioned(trust)))
        session = int(after.get("MaxSessionDuration") or 3600)
        iam.update_role(RoleName=physical_id, Description=after.get("Description", ""), MaxSessionDuration=session)
        for name in sorted(_policy_names(before) - _policy_names(after)):
            _delete_inline(iam, physical_id, name)
        for arn in sorted(set(before.get("ManagedPolicyArns") or []) - set(after.get("ManagedPolicyArns") or [])):
            _detach(iam, physical_id, arn)
        if after.get("PermissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=physical_id, PermissionsBoundary=after["PermissionsBoundary"])
        elif before.get("PermissionsBoundary"):
            iam.delete_role_permissions_boundary(RoleName=physical_id)
        removed = tags_removed(before, after)
        if removed:
            iam.untag_role(RoleName=physical_id, TagKeys=removed)
        if after.get("Tags"):
            iam.tag_role(RoleName=physical_id, **api_request("iam", "TagRole", after, "Tags"))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        iam = wanted.client("iam")
        try:
            for name in sorted(_policy_names(wanted.properties)):
                _delete_inline(iam, physical_id, name)
            for arn in wanted.properties.get("ManagedPolicyArns") or []:
                _detach(iam, physical_id, arn)
            iam.delete_role(RoleName=physical_id)
        except iam.exceptions.NoSuchEntityException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("iam").get_role(RoleName=physical_id)["Role"]
        return {"Arn": found["Arn"], "RoleId": found["RoleId"]}


def _versioned(trust: Any) -> Any:
    """A trust policy with its version: AWS takes one without, moto does so only of a new role."""
    return {"Version": "2012-10-17", **trust} if isinstance(trust, Mapping) else trust


def _is_policy(policy: Any) -> bool:
    return isinstance(policy, Mapping) and {"PolicyName", "PolicyDocument"} <= set(policy)


def _policy_names(properties: Mapping[str, Any]) -> set[str]:
    return {str(policy["PolicyName"]) for policy in properties.get("Policies") or []}


def _delete_inline(iam: Any, role: str, name: str) -> None:
    try:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    except iam.exceptions.NoSuchEntityException:
        return


def _detach(iam: Any, role: str, arn: str) -> None:
    try:
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    except iam.exceptions.NoSuchEntityException:
        return
