"""The context of a request: the values of condition keys, and which keys this cloud knows anything about at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Values = Mapping[str, tuple[str, ...]]

# Keys that are given a value wherever AWS gives them one; without a value they are absent, as on AWS.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
KNOWN_KEYS = frozenset(
    key.lower()
    for key in (
        *("aws:CurrentTime", "aws:EpochTime", "aws:MultiFactorAuthPresent", "aws:PrincipalAccount", "aws:PrincipalArn"),
        *("aws:PrincipalType", "aws:RequestedRegion", "aws:ResourceAccount", "aws:SecureTransport", "aws:userid"),
        *("aws:SourceAccount", "aws:SourceArn", "aws:SourceIp", "aws:TagKeys", "aws:username", "aws:UserAgent"),
        *("iam:PassedToService", "iam:PolicyARN", "sts:ExternalId", "sts:RoleSessionName"),
        *("s3:delimiter", "s3:max-keys", "s3:prefix", "s3:TlsVersion", "s3:VersionId", "s3:x-amz-acl"),
        *("s3:x-amz-copy-source", "s3:x-amz-server-side-encryption", "s3:x-amz-storage-class"),
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        *("application-autoscaling:scalable-dimension", "application-autoscaling:service-namespace"),
        *("cloudformation:ChangeSetName", "cloudformation:RoleArn", "cloudformation:TemplateUrl"),
        *("cloudwatch:namespace", "codecommit:References", "secretsmanager:SecretId", "secretsmanager:Name"),
        *("sagemaker:InstanceTypes", "sagemaker:InterContainerTrafficEncryption", "sagemaker:NetworkIsolation"),
        *("sagemaker:OutputKmsKey", "sagemaker:VolumeKmsKey", "sagemaker:VpcSecurityGroupIds", "sagemaker:VpcSubnets"),
        *(
            f"{prefix}:{name}"
            for prefix in ("codeconnections", "codestar-connections")
            for name in ("BranchName", "FullRepositoryId", "PassedToService", "ProviderAction", "ProviderPermissions")
        ),
    )
)
_KNOWN_PREFIXES = ("aws:requesttag/", "aws:principaltag/")


class NotEvaluated(Exception):
    """A policy asks for something that this cloud cannot say; the message names it."""


@dataclass(frozen=True)
class Context:
    """The values of condition keys by their names in lower case; keys of multiple values have more than one.

    `resource_tags` says whether the tags of the resource are known, so that one that is absent is truly absent.
    `unsaid` are keys that AWS would give a value, and who asks here does not.
    """

    values: Values = field(default_factory=dict)
    resource_tags: bool = False
    unsaid: frozenset[str] = frozenset()

    def get(self, key: str) -> tuple[str, ...] | None:
        """The values of a key, or None where the request has none; raises `NotEvaluated` for keys not known here."""
        name = key.lower()
        if name in self.values:
            return self.values[name]
        if name not in self.unsaid and (name in KNOWN_KEYS or name.startswith(_KNOWN_PREFIXES)):
            return None
        if self.resource_tags and name.split(":", 1)[-1].startswith("resourcetag/"):
            return None
        raise NotEvaluated(f"condition key {key}")
