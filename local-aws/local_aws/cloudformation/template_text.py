"""Template bodies as text: JSON, or YAML with the short forms of the intrinsic functions, become plain objects.

Short forms: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from local_aws.cloudformation.refusals import refused

BODY_LIMIT = 51_200
STORED_BODY_LIMIT = 1_000_000


def parse(text: str) -> dict[str, Any]:
    """The template as an object, short forms written out; raises `AwsError` (ValidationError) with line and column."""
    if text.lstrip().startswith("{"):
        template = _json(text)
    else:
        try:
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
                raise refused("Template error: YAML aliases are not allowed in CloudFormation templates")
            template = yaml.load(text, Loader=_Loader)  # noqa: S506 - the loader below is a SafeLoader
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
            raise refused(f"Template format error: YAML not well-formed.{where}") from error
        except yaml.YAMLError as error:
            raise refused("Template format error: YAML not well-formed.") from error
    if not isinstance(template, dict):
        raise refused("Template format error: unsupported structure.")
    return template


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"(line {error.lineno}, column {error.colno})"
        raise refused(f"Template format error: JSON not well-formed. {where}") from error


# libyaml's takes a tenth of the time; not every build of PyYAML has it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """YAML as CloudFormation reads it: dates stay text, keys are text, tags are functions, there are no aliases.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    """


_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [
        key.value if isinstance(key, yaml.ScalarNode) else str(loader.construct_object(key)) for key, _ in node.value
    ]
    return dict(zip(keys, (loader.construct_object(value, deep=True) for _, value in node.value), strict=True))


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = _mapping(loader, node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _function)
