"""Properties of a template as the request of an API: members named in its case, values of the kinds it wants.

A template may say `"1"`, `1` or `!Ref` a Number parameter (which is a text) for the same integer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from local_aws.cloudformation.canonical import canonical
from local_aws.contract import service_model


def api_request(service: str, operation: str, properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The named properties (all, if none is named) as an operation's parameters, less those it does not take."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return {}
    wanted = {name: value for name, value in properties.items() if value is not None and (not names or name in names)}
    members = {_member(shape, name): value for name, value in wanted.items()}
    known = {name: value for name, value in members.items() if name in shape.members}
    return {name: shaped(value, shape.members[name]) for name, value in known.items()}


def shaped(value: Any, shape: Shape) -> Any:
    """A value in the form of an API's shape; a member the shape has not is kept, so that the API refuses it by name."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members = {_member(shape, name): item for name, item in value.items()}
        return {
            name: shaped(item, shape.members[name]) if name in shape.members else item for name, item in members.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [shaped(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {str(name): shaped(item, shape.value) for name, item in value.items()}
    return _scalar(value, shape)


def _scalar(value: Any, shape: Shape) -> Any:
    if shape.type_name == "string":
        return json.dumps(value) if isinstance(value, dict | list) else canonical(value)
    try:
        if shape.type_name in ("integer", "long") and not isinstance(value, bool):
            return int(value)
        if shape.type_name in ("float", "double") and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        return value
    if shape.type_name == "boolean" and canonical(value) in ("true", "false"):
        return canonical(value) == "true"
    return value


def _member(shape: Shape, name: str) -> str:
    if name in shape.members or not name:
        return name
    # The same name in another case: RoleArn is roleArn, BuildSpec is buildspec.
    alike = [member for member in shape.members if member.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else name


def tag_map(tags: list[Mapping[str, Any]] | None) -> dict[str, str]:
    """A list of Key and Value as a map."""
    return {str(tag["Key"]): str(canonical(tag["Value"])) for tag in tags or []}


def tags_removed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keys of tags that were there and are no longer wanted."""
    return sorted(set(tag_map(before.get("Tags"))) - set(tag_map(after.get("Tags"))))


def policy_text(document: Any) -> str:
    """A policy document as its API takes it: JSON text."""
    return document if isinstance(document, str) else json.dumps(document)
