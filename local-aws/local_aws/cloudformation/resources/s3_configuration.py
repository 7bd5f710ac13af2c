"""The configuration of a bucket: what a template calls it, and the S3 calls that set and unset it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.cloudformation.api_request import shaped
from local_aws.contract import service_model


@dataclass(frozen=True)
class Setting:
    """One property of a bucket; `put` and `delete` are methods of the S3 client, `argument` what `put` is given."""

    name: str
    put: str
    delete: str | None
    operation: str
    argument: str
    render: Callable[[Any], Any]
    # What turns the setting off where S3 has no call to delete it.
    off: Any = None


# What a template may say within the settings that are taken apart below.
MEMBERS: Mapping[str, frozenset[str]] = {
    "BucketEncryption": frozenset({"ServerSideEncryptionConfiguration"}),
    "CorsConfiguration": frozenset({"CorsRules"}),
    "LifecycleConfiguration": frozenset({"Rules", "TransitionDefaultMinimumObjectSize"}),
    "LifecycleConfiguration.Rules": frozenset(
        {
            "AbortIncompleteMultipartUpload",
            "ExpirationDate",
            "ExpirationInDays",
            "ExpiredObjectDeleteMarker",
            "Id",
            "NoncurrentVersionExpiration",
            "NoncurrentVersionExpirationInDays",
            "NoncurrentVersionTransition",
            "NoncurrentVersionTransitions",
            "ObjectSizeGreaterThan",
            "ObjectSizeLessThan",
            "Prefix",
            "Status",
            "TagFilters",
            "Transition",
            "Transitions",
        }
    ),
    "LoggingConfiguration": frozenset({"DestinationBucketName", "LogFilePrefix", "TargetObjectKeyFormat"}),
}


def apply(client: Any, bucket: str, wanted: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Set every setting that is wanted, and unset those that were there `before` and are not."""
    for setting in SETTINGS:
        value = wanted.get(setting.name)
        if value is not None:
            put(client, bucket, setting, setting.render(value))
        elif before.get(setting.name) is not None and setting.delete is not None:
            getattr(client, setting.delete)(Bucket=bucket)
        elif before.get(setting.name) is not None:
            put(client, bucket, setting, setting.off)


def put(client: Any, bucket: str, setting: Setting, value: Any) -> None:
    shape = service_model("s3").operation_model(setting.operation).input_shape
    argument = shaped(value, shape.members[setting.argument]) if shape is not None else value
    getattr(client, setting.put)(Bucket=bucket, **{setting.argument: argument})


def _as_it_is(value: Any) -> Any:
    return value


def _encryption(value: Mapping[str, Any]) -> dict[str, Any]:
    rules = []
    for rule in value.get("ServerSideEncryptionConfiguration", []):
        rest = {name: item for name, item in rule.items() if name != "ServerSideEncryptionByDefault"}
        if "ServerSideEncryptionByDefault" in rule:
            rest["ApplyServerSideEncryptionByDefault"] = rule["ServerSideEncryptionByDefault"]
        rules.append(rest)
    return {"Rules": rules}


def _lifecycle(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"Rules": [_rule(rule) for rule in value.get("Rules", [])]}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    rendered: dict[str, Any] = {"Status": rule.get("Status", "Enabled"), "Filter": _filter(rule)}
    if "Id" in rule:
        rendered["ID"] = rule["Id"]
    expiration = {
        name: rule[key]
        for key, name in (
            ("ExpirationInDays", "Days"),
            ("ExpirationDate", "Date"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if key in rule
    }
    if expiration:
        rendered["Expiration"] = expiration
    if "AbortIncompleteMultipartUpload" in rule:
        rendered["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "NoncurrentVersionExpiration" in rule:
        rendered["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    elif "NoncurrentVersionExpirationInDays" in rule:
        rendered["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    for key, days in (("Transitions", "Days"), ("NoncurrentVersionTransitions", "NoncurrentDays")):
        if key in rule:
            rendered[key] = [
                {
                    {"TransitionInDays": days, "TransitionDate": "Date"}.get(name, name): item
                    for name, item in each.items()
                }
                for each in rule[key]
            ]
    return rendered


def _filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    tags = rule.get("TagFilters", [])
    if not tags:
        return {"Prefix": rule.get("Prefix", "")}
    if len(tags) == 1 and "Prefix" not in rule:
        return {"Tag": tags[0]}
    prefix = {"Prefix": rule["Prefix"]} if "Prefix" in rule else {}
    return {"And": {**prefix, "Tags": tags}}


def _cors(value: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {"Id": "ID", "MaxAge": "MaxAgeSeconds", "ExposedHeaders": "ExposeHeaders"}
    rules = [{renamed.get(name, name): item for name, item in rule.items()} for rule in value.get("CorsRules", [])]
    return {"CORSRules": rules}


def _logging(value: Mapping[str, Any]) -> dict[str, Any]:
    target = {"TargetBucket": value.get("DestinationBucketName", ""), "TargetPrefix": value.get("LogFilePrefix", "")}
    return {"LoggingEnabled": target}


def _tags(value: Any) -> dict[str, Any]:
    return {"TagSet": value}


SETTINGS = (
    Setting(
        "VersioningConfiguration",
        "put_bucket_versioning",
        None,
        "PutBucketVersioning",
        "VersioningConfiguration",
        _as_it_is,
        off={"Status": "Suspended"},
    ),
    Setting(
        "BucketEncryption",
        "put_bucket_encryption",
        "delete_bucket_encryption",
        "PutBucketEncryption",
        "ServerSideEncryptionConfiguration",
        _encryption,
    ),
    Setting(
        "PublicAccessBlockConfiguration",
        "put_public_access_block",
        "delete_public_access_block",
        "PutPublicAccessBlock",
        "PublicAccessBlockConfiguration",
        _as_it_is,
    ),
    Setting(
        "OwnershipControls",
        "put_bucket_ownership_controls",
        "delete_bucket_ownership_controls",
        "PutBucketOwnershipControls",
        "OwnershipControls",
        _as_it_is,
    ),
    Setting(
        "LifecycleConfiguration",
        "put_bucket_lifecycle_configuration",
        "delete_bucket_lifecycle",
        "PutBucketLifecycleConfiguration",
        "LifecycleConfiguration",
        _lifecycle,
    ),
    Setting("CorsConfiguration", "put_bucket_cors", "delete_bucket_cors", "PutBucketCors", "CORSConfiguration", _cors),
    Setting(
        "LoggingConfiguration",
        "put_bucket_logging",
        None,
        "PutBucketLogging",
        "BucketLoggingStatus",
        _logging,
        off={},
    ),
    Setting("Tags", "put_bucket_tagging", "delete_bucket_tagging", "PutBucketTagging", "Tagging", _tags),
)
