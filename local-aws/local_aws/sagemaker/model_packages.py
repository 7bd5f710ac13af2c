"""Model packages, versioned in groups or by themselves.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html and its siblings.
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError, validation_error
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import listing, tags
from local_aws.store import Body, now

GROUP = "model_package_group"
PACKAGE = "model_package"
_SHOWN_IN_LIST = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
_GROUP_SHOWN_IN_LIST = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)
_UPDATED_AS_GIVEN = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


def group_named(cloud: Cloud, name_or_arn: str) -> Body:
    """A model package group by its name or ARN; raises `AwsError` (ValidationException) as AWS does."""
    body = cloud.store.find(GROUP, _last(name_or_arn, "model-package-group/"))
    if body is None:
        raise validation_error(f"ModelPackageGroup {name_or_arn} does not exist.")
    return body


def package_named(cloud: Cloud, name_or_arn: str) -> Body:
    """A model package by its ARN, its name, or `group/version`; raises `AwsError` (ValidationException)."""
    body = cloud.store.find(PACKAGE, _last(name_or_arn, "model-package/"))
    if body is None:
        raise validation_error(f"ModelPackage {name_or_arn} does not exist.")
    return body


@SAGEMAKER.operation("CreateModelPackageGroup")
def create_model_package_group(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make an empty group."""
    name = request["ModelPackageGroupName"]
    arn = cloud.arn(f"model-package-group/{name}")
    with cloud.store.transaction():
        if cloud.store.find(GROUP, name) is not None:
            raise validation_error(f"Model Package Group already exists: {arn}")
        body = {
            **{member: value for member, value in request.items() if member != "Tags"},
            "ModelPackageGroupArn": arn,
            "CreationTime": now(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
            "_last_version": 0,
        }
        cloud.store.create(GROUP, name, body)
        tags.record(cloud, arn, request)
    return {"ModelPackageGroupArn": arn}


@SAGEMAKER.operation("DescribeModelPackageGroup")
def describe_model_package_group(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """What a group is."""
    return _public(group_named(cloud, request["ModelPackageGroupName"]))


@SAGEMAKER.operation("ListModelPackageGroups")
def list_model_package_groups(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of groups."""
    rows, token = listing.page(cloud.store.all(GROUP), request, name_key="ModelPackageGroupName")
    shown = [{name: row[name] for name in _GROUP_SHOWN_IN_LIST if name in row} for row in rows]
    return listing.answer("ModelPackageGroupSummaryList", shown, token)


@SAGEMAKER.operation("DeleteModelPackageGroup")
def delete_model_package_group(cloud: Cloud, request: dict[str, Any]) -> None:
    """Delete a group that has no versions."""
    with cloud.store.transaction():
        group = group_named(cloud, request["ModelPackageGroupName"])
        name = group["ModelPackageGroupName"]
        if any(body.get("ModelPackageGroupName") == name for body in cloud.store.all(PACKAGE)):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {name} cannot be deleted: delete the model packages that it contains first.",
            )
        cloud.store.delete(GROUP, name)
        tags.forget(cloud, group["ModelPackageGroupArn"])


@SAGEMAKER.operation("CreateModelPackage")
def create_model_package(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Register the next version in a group, or a package of its own name."""
    group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    if (group is None) == (name is None):
        raise validation_error("Exactly one of ModelPackageName and ModelPackageGroupName must be provided.")
    if "InferenceSpecification" not in request and "SourceAlgorithmSpecification" not in request and group is None:
        raise validation_error("One of InferenceSpecification and SourceAlgorithmSpecification must be provided.")
    with cloud.store.transaction():
        if group is not None:
            row = group_named(cloud, group)
            group, version = row["ModelPackageGroupName"], row["_last_version"] + 1
            cloud.store.update(GROUP, group, {"_last_version": version})
            key = f"{group}/{version}"
            identity: Body = {"ModelPackageGroupName": group, "ModelPackageVersion": version}
            identity["ModelApprovalStatus"] = request.get("ModelApprovalStatus", "PendingManualApproval")
        else:
            key = str(name)
            identity = {"ModelPackageName": name}
            if cloud.store.find(PACKAGE, key) is not None:
                raise AwsError(
                    "ConflictException", f"Model Package already exists: {cloud.arn(f'model-package/{key}')}"
                )
        arn = cloud.arn(f"model-package/{key}")
        at = now()
        body = {
            **{member: value for member, value in request.items() if member not in ("Tags", "ClientToken")},
            # Describe names a versioned package after its group.
            "ModelPackageName": key.partition("/")[0],
            **identity,
            "ModelPackageArn": arn,
            "CreationTime": at,
            "LastModifiedTime": at,
            "CreatedBy": {},
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        }
        cloud.store.create(PACKAGE, key, body)
        tags.record(cloud, arn, request)
    return {"ModelPackageArn": arn}


@SAGEMAKER.operation("DescribeModelPackage")
def describe_model_package(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """What a model package is."""
    return _public(package_named(cloud, request["ModelPackageName"]))


@SAGEMAKER.operation("ListModelPackages")
def list_model_packages(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of model packages: those of a group, or the ones without a group unless asked otherwise."""
    group = request.get("ModelPackageGroupName")
    kind = request.get("ModelPackageType", "Unversioned")
    approval = request.get("ModelApprovalStatus")
    wanted = group_named(cloud, group)["ModelPackageGroupName"] if group else None
    rows = []
    for body in cloud.store.all(PACKAGE):
        versioned = "ModelPackageVersion" in body
        if wanted is not None:
            chosen = body.get("ModelPackageGroupName") == wanted
        else:
            chosen = kind == "Both" or versioned == (kind == "Versioned")
        if chosen and (approval is None or body.get("ModelApprovalStatus") == approval):
            rows.append(body)
    page, token = listing.page(rows, request, name_key="ModelPackageName")
    shown = [{name: row[name] for name in _SHOWN_IN_LIST if name in row} for row in page]
    return listing.answer("ModelPackageSummaryList", shown, token)


@SAGEMAKER.operation("UpdateModelPackage")
def update_model_package(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Approve or reject a model package, and change what is said about it."""

    def changed(body: Body) -> Body:
        result = {**body, **{name: request[name] for name in _UPDATED_AS_GIVEN if name in request}}
        properties = {**body.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(key, None)
        if properties:
            result["CustomerMetadataProperties"] = properties
        else:
            result.pop("CustomerMetadataProperties", None)
        added = request.get("AdditionalInferenceSpecificationsToAdd", [])
        if added:
            result["AdditionalInferenceSpecifications"] = [*body.get("AdditionalInferenceSpecifications", []), *added]
        return {**result, "LastModifiedTime": now(), "LastModifiedBy": {}}

    with cloud.store.transaction():
        body = package_named(cloud, request["ModelPackageArn"])
        if "ModelApprovalStatus" in request and "ModelPackageVersion" not in body:
            raise validation_error("ModelApprovalStatus can only be updated for versioned model packages.")
        cloud.store.update(PACKAGE, _last(body["ModelPackageArn"], "model-package/"), changed)
    return {"ModelPackageArn": body["ModelPackageArn"]}


@SAGEMAKER.operation("DeleteModelPackage")
def delete_model_package(cloud: Cloud, request: dict[str, Any]) -> None:
    """Delete a model package; its version number is not given again."""
    with cloud.store.transaction():
        arn = package_named(cloud, request["ModelPackageName"])["ModelPackageArn"]
        cloud.store.delete(PACKAGE, _last(arn, "model-package/"))
        tags.forget(cloud, arn)


def _last(name_or_arn: str, prefix: str) -> str:
    return name_or_arn.rpartition(prefix)[2] if name_or_arn.startswith("arn:") else name_or_arn


def _public(body: Body) -> Body:
    return {name: value for name, value in body.items() if not name.startswith("_")}
