"""AWS::SageMaker::Project: a stack that makes a project, which makes a stack."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_SERVICE = "sagemaker"
_PAUSE = 0.05


@resource_type
class Project(ResourceType):
    """A project from a template in S3; its Ref is its ARN, and nothing of it changes in place.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-project.html
    """

    type_name = "AWS::SageMaker::Project"
    properties = frozenset(
        {
            "ProjectDescription",
            "ProjectName",
            "ServiceCatalogProvisionedProductDetails",
            "ServiceCatalogProvisioningDetails",
            "Tags",
            "TemplateProviderDetails",
        }
    )
    required = frozenset({"ProjectName"})
    replacing = properties
    recorded = frozenset({"ServiceCatalogProvisionedProductDetails"})
    name_property = "ProjectName"
    members = {"TemplateProviderDetails": frozenset({"CfnTemplateProviderDetail"})}
    attribute_names = frozenset({"CreationTime", "ProjectArn", "ProjectId", "ProjectStatus"})

    def create(self, wanted: Wanted) -> str:
        rows = wanted.properties.get("TemplateProviderDetails") or []
        providers = [{"CfnTemplateProvider": row["CfnTemplateProviderDetail"]} for row in rows]
        given = {**wanted.properties, **({"TemplateProviders": providers} if providers else {})}
        request = api_request(_SERVICE, "CreateProject", given)
        return str(wanted.client(_SERVICE).create_project(**request)["ProjectArn"])

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        found = self._at_rest(wanted)
        if found["ProjectStatus"] != "CreateCompleted":
            detail = found["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
            raise ResourceFailed(f"The project is {found['ProjectStatus']}: {detail['StatusMessage']}")

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        try:
            self._at_rest(wanted)
            wanted.client(_SERVICE).delete_project(ProjectName=wanted.properties["ProjectName"])
            found = self._at_rest(wanted)
        except ClientError as error:
            if "does not exist" not in error.response["Error"].get("Message", ""):
                raise
            return
        raise ResourceFailed(f"The project is {found['ProjectStatus']}.")

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = self._describe(wanted)
        return {
            "CreationTime": found["CreationTime"].isoformat(),
            "ProjectArn": physical_id,
            "ProjectId": found["ProjectId"],
            "ProjectStatus": found["ProjectStatus"],
        }

    def _describe(self, wanted: Wanted) -> Mapping[str, Any]:
        name = str(wanted.properties["ProjectName"])
        found: dict[str, Any] = wanted.client(_SERVICE).describe_project(ProjectName=name)
        return found

    def _at_rest(self, wanted: Wanted) -> Mapping[str, Any]:
        while True:
            found = self._describe(wanted)
            if not found["ProjectStatus"].endswith("InProgress"):
                return found
            wanted.checkpoint()
            time.sleep(_PAUSE)
