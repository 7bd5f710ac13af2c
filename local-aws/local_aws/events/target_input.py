"""What a target is given of an event: all of it, a part, a constant, or a text made from its values.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from jsonpath_ng import parse

from local_aws.events.rules import Target
from local_aws.store import now

_PLACEHOLDER = re.compile(r"<([^<>\s]+)>")


def text(target: Target, message: Mapping[str, Any]) -> str:
    """The input of a target by its Input, InputPath or InputTransformer; raises `ValueError` for what is no path."""
    settings = target.settings
    if settings.get("Input"):
        return str(settings["Input"])
    if settings.get("InputPath"):
        return json.dumps(_at(settings["InputPath"], message))
    if settings.get("InputTransformer"):
        return _transformed(settings["InputTransformer"], target, message)
    return json.dumps(message)


def _transformed(transformer: Mapping[str, Any], target: Target, message: Mapping[str, Any]) -> str:
    values = {name: _at(path, message) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": target.rule_arn,
        "aws.events.rule-name": target.rule,
        "aws.events.event.ingestion-time": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws.events.event": {name: value for name, value in message.items() if name != "detail"},
        "aws.events.event.json": message,
    }
    template = str(transformer["InputTemplate"])
    return _PLACEHOLDER.sub(lambda found: _filled(found, template, values), template)


def _filled(found: re.Match[str], template: str, values: Mapping[str, Any]) -> str:
    """A value in place of its placeholder: within a JSON string as its text, elsewhere as JSON.

    A placeholder that no path defines stays as it is; one whose path leads nowhere becomes empty.
    """
    if found[1] not in values:
        return found[0]
    value, quoted = values[found[1]], _within_string(template, found.start())
    if value is None:
        return "" if quoted else "null"
    if not quoted:
        return value if isinstance(value, str) and not template.lstrip().startswith(("{", "[")) else json.dumps(value)
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]


def _within_string(template: str, at: int) -> bool:
    return len(re.findall(r'(?<!\\)"', template[:at])) % 2 == 1


def _at(path: str, message: Mapping[str, Any]) -> Any:
    """What a JSON path of EventBridge (`$.detail.state`) leads to, or None."""
    try:
        # Names with hyphens (detail-type, execution-id) are allowed there without quotes.
        found = parse(re.sub(r"\.([A-Za-z0-9_]*-[A-Za-z0-9_-]*)", r'."\1"', path)).find(message)
    except Exception as error:
        raise ValueError(f"{path} is not a JSON path") from error
    return found[0].value if found else None
