"""What a request asks for in the terms of IAM: actions on resources, with the values of condition keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.cloud import Cloud
from local_aws.iam import request_values, resource_arns
from local_aws.iam.context import Values
from local_aws.iam.resource_names import LOOKS_ONLY, NAMES, NONE, Names

# Names that services sign with, where they are not the prefix of their actions; and those botocore knows them by.
_PREFIXES = {"sagemaker-runtime": "sagemaker", "monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}
MODEL_NAMES = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
    "states": "stepfunctions",
    "email": "ses",
}
# Nobody can be denied it.
_FREE = {"sts:GetCallerIdentity", "sts:AssumeRole"}
_MEMBER = re.compile(r"\{([\w.]*)\}")


@dataclass(frozen=True)
class Access:
    """One action on one resource ("*" where it has none), and the values of its condition keys (names in lower case).

    `aliases` are other ARNs of the resource, `tags_known` whether the tags of the resource are among the values,
    `unknown` that this cloud cannot say which resource it is.
    """

    action: str
    resource: str = "*"
    values: Values = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    tags_known: bool = False
    unknown: bool = False


def needed(cloud: Cloud, service: str, operation: str, request: Mapping[str, Any]) -> Iterator[Access]:
    """All that a role must be allowed for a request to any service but S3."""
    prefix = _PREFIXES.get(service, service)
    action = f"{prefix}:{operation}"
    # AssumeRole is judged with the role's trust policy, where it is carried out.
    if action in _FREE:
        return
    values = request_values.of(prefix, request)
    names = NAMES.get(prefix)
    if names is None:
        yield Access(action, values=values, unknown=True)
        return
    found = list(_resources(names, operation, request))
    if not found and operation in names.unnamed:
        found = [names.unnamed[operation]]
    unknown = not found and not operation.startswith(LOOKS_ONLY)
    for end in found or NONE:
        arn = resource_arns.arn(cloud, prefix, operation, end, global_=names.global_)
        tags = resource_arns.tags(cloud, prefix, arn.name)
        more = {
            f"{head}:resourcetag/{key.lower()}": (tag,) for key, tag in (tags or {}).items() for head in ("aws", prefix)
        }
        yield Access(action, arn.name, {**values, **more}, arn.aliases, tags is not None, unknown)
        if prefix == "sagemaker" and operation.startswith("Create") and request.get("Tags"):
            yield Access("sagemaker:AddTags", arn.name, values)


def _resources(names: Names, operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """The ends of the ARNs of what a request names."""
    templates = names.operations.get(operation)
    if templates == NONE:
        yield "*"
        return
    if templates is not None:
        for template in templates:
            yield _MEMBER.sub(lambda found: str(_member(request, found[1]) or "*"), template)
        return
    for member, template in names.members.items():
        value = _member(request, member)
        if value is not None and value != []:
            for each in value if isinstance(value, list) else [value]:
                yield str(each) if str(each).startswith("arn:") else template.replace("{}", str(each))
            return


def _member(request: Mapping[str, Any], path: str) -> Any:
    value: Any = request
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
