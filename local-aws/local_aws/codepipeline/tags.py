"""Tags of pipelines, and who a request comes from."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions
from local_aws.errors import AwsError
from local_aws.iam import trust
from local_aws.operations import CODEPIPELINE
from local_aws.principal import acting
from local_aws.store import Body

_MOST = 50


def caller(cloud: Cloud) -> str:
    """The ARN of who acts: a session of a role, a user, or the account's administrator."""
    return trust.caller_arn(cloud.settings.account, acting())


def checked(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    """The tags themselves; raises `AwsError` (InvalidTagsException, TooManyTagsException) for what AWS refuses."""
    keys = [tag["key"] for tag in tags]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise AwsError("InvalidTagsException", f"Duplicate tag keys found: {', '.join(twice)}")
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise AwsError("InvalidTagsException", f"Tag keys must not begin with aws: {', '.join(reserved)}")
    if len(tags) > _MOST:
        raise AwsError("TooManyTagsException", f"{len(tags)} tags are given, at most {_MOST} may be")
    return tags


def _change(cloud: Cloud, arn: str, tags: list[dict[str, str]], removed: set[str]) -> None:
    def apply(body: Body) -> Body:
        dropped = removed | {tag["key"] for tag in tags}
        kept = [tag for tag in body["_tags"] if tag["key"] not in dropped]
        return {**body, "_tags": checked([*kept, *tags])}

    with cloud.store.transaction():
        cloud.store.update(definitions.KIND, _named(cloud, arn), apply)


def _named(cloud: Cloud, arn: str) -> str:
    """The pipeline of an ARN; raises `AwsError` (InvalidArnException, ResourceNotFoundException)."""
    prefix = cloud.arn("", "codepipeline")
    if not arn.startswith(prefix):
        raise AwsError("InvalidArnException", f"'{arn}' is no ARN of a pipeline here: {prefix}<name>")
    name = arn.removeprefix(prefix)
    if cloud.store.find(definitions.KIND, name) is None:
        raise AwsError("ResourceNotFoundException", f"There is no pipeline with the ARN '{arn}'")
    return name


@CODEPIPELINE.operation("TagResource")
def tag_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Add tags to a pipeline, or give new values to keys it has."""
    _change(cloud, request["resourceArn"], checked(request["tags"]), set())
    return {}


@CODEPIPELINE.operation("UntagResource")
def untag_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Take tags from a pipeline."""
    _change(cloud, request["resourceArn"], [], set(request["tagKeys"]))
    return {}


@CODEPIPELINE.operation("ListTagsForResource")
def list_tags_for_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The tags of a pipeline."""
    return {"tags": cloud.store.get(definitions.KIND, _named(cloud, request["resourceArn"]))["_tags"]}
