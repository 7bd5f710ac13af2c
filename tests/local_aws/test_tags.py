"""Tags of SageMaker resources: what is refused, and what is kept, changed and forgotten."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture
def group(cloud: Any) -> str:
    """The ARN of a resource that was made with one tag."""
    made = cloud.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=f"g-{uuid.uuid4().hex[:12]}", Tags=[{"Key": "team", "Value": "iris"}]
    )
    return made["ModelPackageGroupArn"]


def _tags(cloud: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in cloud.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]}


@pytest.mark.parametrize("arn", [f"{ARN}:training-job/nobody", f"{ARN}:no-such-kind/nobody"])
def test_a_resource_that_is_not_there_has_no_tags_to_change(cloud: Any, arn: str) -> None:
    client = cloud.client("sagemaker")
    for operation, given in (
        (client.add_tags, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (client.list_tags, {}),
        (client.delete_tags, {"TagKeys": ["a"]}),
    ):
        with pytest.raises(ClientError, match=r"nobody.*does not exist") as refused:
            operation(ResourceArn=arn, **given)
        assert refused.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Duplicate tag keys found: a"),
        ([{"Key": "aws:owner", "Value": "me"}], "System tags"),
        ([{"Key": "bad|key", "Value": "1"}], "regular expression pattern"),
        ([{"Key": "k", "Value": "v" * 257}], "length less than or equal to 256"),
        ([{"Key": f"k{number}", "Value": ""} for number in range(50)], "would have 51 tags"),
    ],
)
def test_tags_that_aws_would_refuse_are_refused_and_change_nothing(
    cloud: Any, group: str, tags: list[dict[str, str]], says: str
) -> None:
    with pytest.raises(ClientError, match=says):
        cloud.client("sagemaker").add_tags(ResourceArn=group, Tags=tags)
    assert _tags(cloud, group) == {"team": "iris"}


def test_a_create_request_with_refused_tags_makes_nothing(cloud: Any) -> None:
    client, name = cloud.client("sagemaker"), f"g-{uuid.uuid4().hex[:12]}"
    with pytest.raises(ClientError, match="Duplicate tag keys"):
        client.create_model_package_group(
            ModelPackageGroupName=name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
        )
    with pytest.raises(ClientError):
        client.describe_model_package_group(ModelPackageGroupName=name)


def test_tags_are_added_changed_and_deleted(cloud: Any, group: str) -> None:
    client = cloud.client("sagemaker")
    added = client.add_tags(ResourceArn=group, Tags=[{"Key": "team", "Value": "rose"}, {"Key": "tier", "Value": "1"}])
    assert {tag["Key"]: tag["Value"] for tag in added["Tags"]} == {"team": "rose", "tier": "1"}
    client.delete_tags(ResourceArn=group, TagKeys=["tier", "never-there"])
    assert _tags(cloud, group) == {"team": "rose"}


def test_a_resource_made_anew_does_not_inherit_the_tags_of_the_one_before(cloud: Any, group: str) -> None:
    client, name = cloud.client("sagemaker"), group.rpartition("/")[2]
    client.delete_model_package_group(ModelPackageGroupName=name)
    with pytest.raises(ClientError, match="does not exist"):
        client.list_tags(ResourceArn=group)
    client.create_model_package_group(ModelPackageGroupName=name)
    assert _tags(cloud, group) == {}
