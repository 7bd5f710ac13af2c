"""The values of condition keys that a request itself has: its tags, and what each service's keys look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Condition key of a service, and the members of requests that hold its value, wherever they are.
_MEMBERS: dict[str, dict[str, tuple[str, ...]]] = {
    "sagemaker": {
        "sagemaker:instancetypes": ("InstanceType",),
        "sagemaker:vpcsubnets": ("Subnets",),
        "sagemaker:vpcsecuritygroupids": ("SecurityGroupIds",),
        "sagemaker:volumekmskey": ("VolumeKmsKeyId",),
        "sagemaker:outputkmskey": ("KmsKeyId",),
        "sagemaker:networkisolation": ("EnableNetworkIsolation",),
        "sagemaker:intercontainertrafficencryption": ("EnableInterContainerTrafficEncryption",),
    },
    "application-autoscaling": {
        "application-autoscaling:service-namespace": ("ServiceNamespace",),
        "application-autoscaling:scalable-dimension": ("ScalableDimension",),
    },
    "cloudwatch": {"cloudwatch:namespace": ("Namespace",)},
    "cloudformation": {
        "cloudformation:changesetname": ("ChangeSetName",),
        "cloudformation:rolearn": ("RoleARN",),
        "cloudformation:templateurl": ("TemplateURL",),
    },
    "secretsmanager": {"secretsmanager:secretid": ("SecretId",), "secretsmanager:name": ("Name",)},
    "iam": {"iam:policyarn": ("PolicyArn",)},
}
_TAGS = ("Tags", "tags", "TagList")
_KEYS, _VALUES = ("Key", "key", "TagKey"), ("Value", "value", "TagValue")


def of(prefix: str, request: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The values by the names of their keys in lower case."""
    values: dict[str, tuple[str, ...]] = {}
    for key, members in _MEMBERS.get(prefix, {}).items():
        found = tuple(dict.fromkeys(text for member in members for text in _anywhere(request, member)))
        if found:
            values[key] = found
    tags = _tags(request)
    values |= {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    keys = (*tags, *(request.get("TagKeys") or request.get("tagKeys") or ()))
    return {**values, "aws:tagkeys": keys} if keys else values


def _tags(request: Mapping[str, Any]) -> dict[str, str]:
    given = next((request[name] for name in _TAGS if request.get(name)), None)
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    return {str(_first(tag, _KEYS)): str(_first(tag, _VALUES)) for tag in given or [] if isinstance(tag, Mapping)}


def _first(tag: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((tag[name] for name in names if name in tag), "")


def _anywhere(value: Any, member: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name == member:
                yield from (_text(item) for item in (each if isinstance(each, list) else [each]))
            else:
                yield from _anywhere(each, member)
    elif isinstance(value, list):
        for each in value:
            yield from _anywhere(each, member)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
