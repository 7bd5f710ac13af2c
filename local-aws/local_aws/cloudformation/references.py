"""What a value in a template refers to: the logical ids behind Ref, Fn::GetAtt and Fn::Sub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# ${Name}, ${Resource.Attribute} and ${AWS::Region}; ${!Literal} is text that looks like one.
VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True)
class Reference:
    """A mention of something by its logical id; `attribute` is None for its Ref value."""

    logical_id: str
    attribute: str | None
    function: str


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a value, pseudo parameters (`AWS::...`) left out."""
    for reference in _walk(value):
        if not reference.logical_id.startswith("AWS::"):
            yield reference


def _walk(value: Any) -> Iterator[Reference]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if len(value) == 1 and key == "Ref" and isinstance(inner, str):
            yield Reference(inner, None, "Ref")
        elif len(value) == 1 and key == "Fn::GetAtt":
            logical_id, attribute = inner.split(".", 1) if isinstance(inner, str) and "." in inner else _pair(inner)
            yield Reference(logical_id, attribute if isinstance(attribute, str) else "", "Fn::GetAtt")
            yield from _walk(attribute)
        elif len(value) == 1 and key == "Fn::Sub":
            yield from _substituted(inner)
        else:
            yield from _walk(inner)


def _substituted(inner: Any) -> Iterator[Reference]:
    text, own = inner if isinstance(inner, list) and len(inner) == 2 else (inner, {})
    yield from _walk(list(own.values()) if isinstance(own, dict) else own)
    if not isinstance(text, str):
        return
    for literal, name in VARIABLE.findall(text):
        if not literal and name.strip() not in own:
            logical_id, _, attribute = name.strip().partition(".")
            yield Reference(logical_id, attribute or None, "Fn::Sub")


def _pair(inner: Any) -> tuple[str, Any]:
    if isinstance(inner, list) and len(inner) == 2 and isinstance(inner[0], str):
        return inner[0], inner[1]
    return str(inner), ""
