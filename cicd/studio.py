"""Offers the template in SageMaker Studio, as a project template that lies in S3.
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from cicd.errors import CicdError

# Studio shows the objects that bear this tag.
_VISIBLE = {"sagemaker:studio-visibility": "true"}
_STUDIO = "https://*.sagemaker.aws"
_RULE = {
    "ID": "sagemaker-studio",
    "AllowedOrigins": [_STUDIO],
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag", "x-amz-version-id", "x-amz-request-id", "x-amz-id-2"],
}


@dataclass(frozen=True)
class Offer:
    """Where the template lies: for the tag of the Studio domain, and for CreateProject."""

    location: str
    url: str


def publish(s3: Any, region: str, bucket: str, prefix: str, body: str) -> Offer:
    """Upload the template where Studio can see it, and let Studio's pages read the bucket.

    Raises:
        CicdError: there is no such bucket, or it is another's.
    """
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    key = f"{prefix}cicd.yaml"
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        raise CicdError(
            f"There is no bucket {bucket} that this role may use ({error.response['Error']['Code']}): make one for "
            "project templates, or name another by --bucket."
        ) from error
    _admit_studio(s3, bucket)
    s3.put_object(
        Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/yaml", Tagging=urlencode(_VISIBLE)
    )
    return Offer(f"s3://{bucket}/{prefix}", f"https://{bucket}.s3.{region}.amazonaws.com/{key}")


def _admit_studio(s3: Any, bucket: str) -> None:
    """Add Studio to the origins that may read the bucket; the rules that are there stay."""
    try:
        rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchCORSConfiguration":
            raise
        rules = []
    if not any(_STUDIO in rule["AllowedOrigins"] and "GET" in rule["AllowedMethods"] for rule in rules):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*rules, _RULE]})
