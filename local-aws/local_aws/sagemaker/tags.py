"""Tags of every SageMaker resource of this cloud, kept by ARN beside the resource itself.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.operations import SAGEMAKER

_MOST = 50
# Kinds of the store are named as ARNs name resources, but for these.
_KINDS = {"hyper-parameter-tuning-job": "tuning_job", "project": "sagemaker_project"}


def check(tags: list[dict[str, str]]) -> None:
    """Refuse what AWS refuses in a list of tags: a key given twice, or one that AWS keeps for itself.

    Raises `AwsError` (ValidationException). https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    """
    keys = [tag["Key"] for tag in tags]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise validation_error(f"Duplicate tag keys found: {', '.join(twice)}. Tag keys must be unique.")
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise validation_error(f"System tags cannot be added or changed by a request: {', '.join(reserved)}.")


def record(cloud: Cloud, arn: str, request: dict[str, Any]) -> None:
    """Keep the Tags of a Create request for the resource it made; what an earlier one of that ARN had is forgotten.

    Raises `AwsError` (ValidationException) where the tags break a rule: call it within the transaction that creates.
    """
    tags = request.get("Tags", [])
    check(tags)
    cloud.store.put("tags", arn, {"Tags": tags})


def forget(cloud: Cloud, arn: str) -> None:
    """Drop the tags of a resource that is deleted."""
    with cloud.store.transaction():
        if cloud.store.find("tags", arn) is not None:
            cloud.store.delete("tags", arn)


def of(cloud: Cloud, arn: str) -> list[dict[str, str]]:
    """The tags of a resource, `{"Key": ..., "Value": ...}` in the order they were given."""
    row = cloud.store.find("tags", arn)
    return row["Tags"] if row else []


@SAGEMAKER.operation("AddTags")
def add_tags(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Add tags to a resource, or give new values to keys it has."""
    arn = request["ResourceArn"]
    check(request["Tags"])
    with cloud.store.transaction():
        _must_exist(cloud, arn)
        merged = {tag["Key"]: tag for tag in [*of(cloud, arn), *request["Tags"]]}
        if len(merged) > _MOST:
            raise validation_error(f"{arn} would have {len(merged)} tags; a resource can have {_MOST}.")
        cloud.store.put("tags", arn, {"Tags": list(merged.values())})
        return {"Tags": list(merged.values())}


@SAGEMAKER.operation("ListTags")
def list_tags(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """All tags of a resource: the least page AWS allows (50) holds the most a resource can have."""
    _must_exist(cloud, request["ResourceArn"])
    return {"Tags": of(cloud, request["ResourceArn"])}


@SAGEMAKER.operation("DeleteTags")
def delete_tags(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Remove tags by key; a key that the resource does not have is no error."""
    arn = request["ResourceArn"]
    with cloud.store.transaction():
        _must_exist(cloud, arn)
        left = [tag for tag in of(cloud, arn) if tag["Key"] not in request["TagKeys"]]
        cloud.store.put("tags", arn, {"Tags": left})
    return {}


def _must_exist(cloud: Cloud, arn: str) -> None:
    resource_type = arn.split(":", 5)[5].split("/")[0]
    kind = _KINDS.get(resource_type, resource_type.replace("-", "_"))
    if not any(arn in body.values() for body in cloud.store.all(kind)):
        raise validation_error(f"The resource {arn} does not exist.")
