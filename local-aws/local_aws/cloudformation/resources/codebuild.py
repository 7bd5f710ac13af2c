"""AWS::CodeBuild: build projects and report groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_SERVICE = "codebuild"
_AWS_IMAGE = "aws/codebuild/"
# What UpdateProject is told of a property that the template no longer has: left out, it would stay as it was.
# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_UpdateProject.html
_DEFAULTS: dict[str, Any] = {
    "AutoRetryLimit": 0,
    "BadgeEnabled": False,
    "BuildBatchConfig": {},
    "Cache": {"Type": "NO_CACHE"},
    "ConcurrentBuildLimit": -1,
    "Description": "",
    "EncryptionKey": "alias/aws/s3",
    "FileSystemLocations": [],
    "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED"}, "S3Logs": {"Status": "DISABLED"}},
    "QueuedTimeoutInMinutes": 480,
    "SecondaryArtifacts": [],
    "SecondarySourceVersions": [],
    "SecondarySources": [],
    "SourceVersion": "",
    "Tags": [],
    "TimeoutInMinutes": 60,
    "VpcConfig": {},
}


@resource_type
class Project(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codebuild-project.html"""

    type_name = "AWS::CodeBuild::Project"
    properties = frozenset(
        {*_DEFAULTS, "Artifacts", "Environment", "Name", "ServiceRole", "Source"}
        | {"ResourceAccessRole", "Triggers", "Visibility"}
    )
    required = frozenset({"Artifacts", "Environment", "ServiceRole", "Source"})
    replacing = frozenset({"Name"})
    # A build is a process of this machine, with its network and without a limit on what it uses.
    recorded = frozenset(
        {
            "EncryptionKey",
            "Environment.ComputeType",
            "Environment.HostKernel",
            "Environment.ImagePullCredentialsType",
            "QueuedTimeoutInMinutes",
            "ResourceAccessRole",
            "Source.Auth",
            "Source.BuildStatusConfig",
            "Source.GitCloneDepth",
            "Source.InsecureSsl",
            "Source.ReportBuildStatus",
            "Triggers",
            "Visibility",
            "VpcConfig",
        }
    )
    name_property = "Name"
    attribute_names = frozenset({"Arn", "Id"})

    def remarks(self, properties: Mapping[str, Any]) -> list[str]:
        image = str((properties.get("Environment") or {}).get("Image", ""))
        stands = (
            [f"image {image} stands for the Python environment of local-aws"] if image.startswith(_AWS_IMAGE) else []
        )
        return [*super().remarks(properties), *stands]

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("Name", 255)
        request = api_request(_SERVICE, "CreateProject", wanted.properties)
        wanted.client(_SERVICE).create_project(**{**request, "name": name})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        dropped = {name: _DEFAULTS[name] for name in _DEFAULTS if name in before and name not in wanted.properties}
        request = api_request(_SERVICE, "UpdateProject", {**dropped, **wanted.properties})
        wanted.client(_SERVICE).update_project(**{**request, "name": physical_id})

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        codebuild = wanted.client(_SERVICE)
        try:
            codebuild.delete_project(name=physical_id)
        except codebuild.exceptions.ResourceNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": wanted.cloud.arn(f"project/{physical_id}", _SERVICE), "Id": physical_id}


@resource_type
class ReportGroup(ResourceType):
    """A group of test or coverage reports; its Ref is its ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codebuild-reportgroup.html
    """

    type_name = "AWS::CodeBuild::ReportGroup"
    properties = frozenset({"DeleteReports", "ExportConfig", "Name", "Tags", "Type"})
    required = frozenset({"ExportConfig", "Type"})
    replacing = frozenset({"Name", "Type"})
    name_property = "Name"
    attribute_names = frozenset({"Arn"})

    def create(self, wanted: Wanted) -> str:
        request = api_request(_SERVICE, "CreateReportGroup", wanted.properties)
        made = wanted.client(_SERVICE).create_report_group(**{**request, "name": wanted.name("Name", 128)})
        return str(made["reportGroup"]["arn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        request = api_request(_SERVICE, "UpdateReportGroup", {"Tags": [], **wanted.properties})
        wanted.client(_SERVICE).update_report_group(**{**request, "arn": physical_id})

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        codebuild = wanted.client(_SERVICE)
        with_reports = canonical(wanted.properties.get("DeleteReports")) == "true"
        try:
            codebuild.delete_report_group(arn=physical_id, deleteReports=with_reports)
        except codebuild.exceptions.ResourceNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Arn": physical_id}
