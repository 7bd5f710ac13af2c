"""References inside a definition: `Parameters.X`, `Execution.X` and `Steps.Name.Path`, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]

GET, JOIN, JSON_GET = "Get", "Std:Join", "Std:JsonGet"
_EXPRESSIONS = {GET, JOIN, JSON_GET}
# A member after a dot, ['a key'] or ["a key"], [3].
_STEP = re.compile(r"\.?(?P<member>[^.\[\]]+)|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]|\[(?P<index>\d+)\]")


class MalformedReference(ValueError):
    """A text that is no reference."""


@dataclass(frozen=True)
class Reference:
    """What a `Get` names: in `root` (Parameters, Execution or Steps) the thing `name`, and in it the place `path`."""

    root: str
    name: str
    path: Path = ()
    text: str = ""


def parse_path(text: str) -> Path:
    """`Outputs['train'].S3Output.S3Uri` as its steps, strings for members and keys, integers for list indices.

    Raises `MalformedReference`.
    """
    path: list[str | int] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise MalformedReference(f"{text!r} is not a path")
        position = found.end()
        if found["index"] is not None:
            path.append(int(found["index"]))
        else:
            path.append(found["member"] if found["member"] is not None else found["key"])
    return tuple(path)


def parse_reference(text: Any) -> Reference:
    """The reference that the text of a `Get` is; raises `MalformedReference`."""
    if not isinstance(text, str):
        raise MalformedReference(f"{text!r} is not a reference")
    root, _, rest = text.partition(".")
    if root in ("Parameters", "Execution") and rest:
        return Reference(root, rest, (), text)
    if root == "Steps" and rest:
        name = re.split(r"[.\[]", rest, maxsplit=1)[0]
        return Reference(root, name, parse_path(rest[len(name) :]), text)
    raise MalformedReference(f"{text!r} is not a reference: it begins with Parameters., Execution. or Steps.")


def is_expression(value: Any) -> bool:
    """Whether a value stands for one that is only known when its step runs."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _EXPRESSIONS


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a value, however deep; raises `MalformedReference` for a malformed one."""
    if is_expression(value) and GET in value:
        yield parse_reference(value[GET])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
