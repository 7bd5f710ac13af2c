"""AWS::S3: buckets and their policies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloudformation.api_request import policy_text
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type
from local_aws.cloudformation.resources import s3_configuration

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NOT_CARRIED_OUT = frozenset(
    {
        "AccelerateConfiguration",
        "AccessControl",
        "AnalyticsConfigurations",
        "IntelligentTieringConfigurations",
        "InventoryConfigurations",
        "MetricsConfigurations",
        "NotificationConfiguration",
        "ObjectLockConfiguration",
        "ObjectLockEnabled",
        "ReplicationConfiguration",
        "WebsiteConfiguration",
    }
)


@resource_type
class Bucket(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html"""

    type_name = "AWS::S3::Bucket"
    properties = frozenset({"BucketName", *(setting.name for setting in s3_configuration.SETTINGS)}) | _NOT_CARRIED_OUT
    replacing = frozenset({"BucketName"})
    # Nobody but this machine reaches a bucket, and its objects lie there as they are.
    recorded = _NOT_CARRIED_OUT | {
        "BucketEncryption",
        "CorsConfiguration",
        "LifecycleConfiguration",
        "LoggingConfiguration",
        "OwnershipControls",
        "PublicAccessBlockConfiguration",
    }
    name_property = "BucketName"
    members = s3_configuration.MEMBERS
    attribute_names = frozenset({"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"})

    def create(self, wanted: Wanted) -> str:
        s3, name = wanted.client("s3"), wanted.name("BucketName", 63, lower=True)
        if not _NAME.fullmatch(name):
            raise ResourceFailed(f"Bucket name {name} should not contain uppercase characters, spaces or underscores.")
        if _exists(s3, name):
            raise ResourceFailed(f"{name} already exists")
        region = wanted.cloud.settings.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        return name

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        s3_configuration.apply(wanted.client("s3"), physical_id, wanted.properties, {})

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        s3_configuration.apply(wanted.client("s3"), physical_id, wanted.properties, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        s3 = wanted.client("s3")
        try:
            s3.delete_bucket(Bucket=physical_id)
        except s3.exceptions.NoSuchBucket:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        region = wanted.cloud.settings.region
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{physical_id}.s3.amazonaws.com",
            "DualStackDomainName": f"{physical_id}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{physical_id}.s3.{region}.amazonaws.com",
            "WebsiteURL": f"http://{physical_id}.s3-website-{region}.amazonaws.com",
        }


def _exists(s3: Any, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        # 403: who may create buckets need not be one who may look into them.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True


@resource_type
class BucketPolicy(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html"""

    type_name = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})
    required = properties
    replacing = frozenset({"Bucket"})

    def create(self, wanted: Wanted) -> str:
        bucket = str(wanted.properties["Bucket"])
        s3 = wanted.client("s3")
        try:
            s3.get_bucket_policy(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                raise
        else:
            raise ResourceFailed(f"The bucket policy already exists on bucket {bucket}.")
        self._put(wanted, bucket)
        return bucket

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._put(wanted, physical_id)

    def _put(self, wanted: Wanted, bucket: str) -> None:
        wanted.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy_text(wanted.properties["PolicyDocument"]))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        s3 = wanted.client("s3")
        try:
            s3.delete_bucket_policy(Bucket=physical_id)
        except s3.exceptions.NoSuchBucket:
            return
