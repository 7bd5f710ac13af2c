"""Model packages and their groups through boto3."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

CONTAINER = {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1", "ModelDataUrl": "s3://b/model.tar.gz"}
INFERENCE = {
    "Containers": [CONTAINER],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def sagemaker(cloud: Any) -> Any:
    return cloud.client("sagemaker")


@pytest.fixture
def group(sagemaker: Any) -> str:
    name = f"flowers-{uuid.uuid4().hex[:8]}"
    sagemaker.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="all of them")
    return name


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_package_needs_one_kind_of_name(sagemaker: Any, group: str) -> None:
    for names in ({}, {"ModelPackageName": "x", "ModelPackageGroupName": group}):
        with pytest.raises(ClientError, match="Exactly one of ModelPackageName and ModelPackageGroupName"):
            sagemaker.create_model_package(InferenceSpecification=INFERENCE, **names)


def test_a_group_or_package_that_is_not_there_is_named(sagemaker: Any, group: str) -> None:
    for call, member in (
        (sagemaker.describe_model_package_group, "ModelPackageGroupName"),
        (sagemaker.delete_model_package_group, "ModelPackageGroupName"),
        (sagemaker.describe_model_package, "ModelPackageName"),
        (sagemaker.delete_model_package, "ModelPackageName"),
        (sagemaker.list_model_packages, "ModelPackageGroupName"),
    ):
        with pytest.raises(ClientError) as error:
            call(**{member: "nope"})
        assert refusal(error)[0] == "ValidationException"
        assert "nope does not exist" in refusal(error)[1]
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.create_model_package(ModelPackageGroupName="nope", InferenceSpecification=INFERENCE)
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_model_package_group(ModelPackageGroupName=group)


def test_what_the_contract_forbids_is_refused(sagemaker: Any, group: str) -> None:
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        sagemaker.create_model_package(ModelPackageGroupName=group, ModelApprovalStatus="Maybe")


def test_versions_count_up_wait_for_approval_and_are_never_given_again(sagemaker: Any, group: str) -> None:
    arns = [
        sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=INFERENCE)["ModelPackageArn"]
        for _ in range(3)
    ]
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3"]
    described = sagemaker.describe_model_package(ModelPackageName=arns[1])
    assert (described["ModelPackageVersion"], described["ModelApprovalStatus"]) == (2, "PendingManualApproval")
    assert described["InferenceSpecification"] == INFERENCE
    assert described["ModelPackageStatus"] == "Completed"
    sagemaker.update_model_package(
        ModelPackageArn=arns[1],
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"tier": "gold", "old": "x"},
    )
    sagemaker.update_model_package(ModelPackageArn=arns[1], CustomerMetadataPropertiesToRemove=["old"])
    described = sagemaker.describe_model_package(ModelPackageName=f"{group}/2")
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "good")
    assert described["CustomerMetadataProperties"] == {"tier": "gold"}
    approved = sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [row["ModelPackageVersion"] for row in approved["ModelPackageSummaryList"]] == [2]
    sagemaker.delete_model_package(ModelPackageName=arns[2])
    again = sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=INFERENCE)
    assert again["ModelPackageArn"].endswith(f"{group}/4")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, PaginationConfig={"PageSize": 2}
    )
    versions = [row["ModelPackageVersion"] for page in pages for row in page["ModelPackageSummaryList"]]
    assert versions == [4, 2, 1]


def test_a_group_is_deleted_only_when_it_is_empty(sagemaker: Any, group: str) -> None:
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=INFERENCE)[
        "ModelPackageArn"
    ]
    with pytest.raises(sagemaker.exceptions.ConflictException, match="delete the model packages that it contains"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    listed = sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert listed == []


def test_a_package_without_a_group_stands_by_its_own_name(sagemaker: Any, group: str) -> None:
    name = f"alone-{uuid.uuid4().hex[:8]}"
    tags = [{"Key": "team", "Value": "flowers"}]
    request = {"ModelPackageName": name, "InferenceSpecification": INFERENCE}
    arn = sagemaker.create_model_package(**request, Tags=tags)["ModelPackageArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    with pytest.raises(sagemaker.exceptions.ConflictException, match="already exists"):
        sagemaker.create_model_package(**request)
    with pytest.raises(ClientError, match="only be updated for versioned model packages"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=INFERENCE)
    unversioned = sagemaker.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [row["ModelPackageArn"] for row in unversioned] == [arn]
    versioned = sagemaker.list_model_packages(ModelPackageType="Versioned", NameContains=group)
    assert [row["ModelPackageGroupName"] for row in versioned["ModelPackageSummaryList"]] == [group]
