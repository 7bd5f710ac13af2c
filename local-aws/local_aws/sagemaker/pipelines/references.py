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


class MalformedExpression(ValueError):
    """A text that is no reference, or an expression that has not the form of the schema."""


@dataclass(frozen=True)
class Reference:
    """What a `Get` names: in `root` (Parameters, Execution or Steps) the thing `name`, and in it the place `path`."""

    root: str
    name: str
    path: Path = ()
    text: str = ""


def parse_path(text: str) -> Path:
    """`Outputs['train'].S3Output.S3Uri` as its steps, strings for members and keys, integers for list indices.

    Raises `MalformedExpression`.
    """
    path: list[str | int] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise MalformedExpression(f"{text!r} is not a path")
        position = found.end()
        if found["index"] is not None:
            path.append(int(found["index"]))
        else:
            path.append(found["member"] if found["member"] is not None else found["key"])
    return tuple(path)


def parse_reference(text: Any) -> Reference:
    """The reference that the text of a `Get` is; raises `MalformedExpression`."""
    if not isinstance(text, str):
        raise MalformedExpression(f"{text!r} is not a reference")
    root, _, rest = text.partition(".")
    if root in ("Parameters", "Execution") and rest:
        return Reference(root, rest, (), text)
    if root == "Steps" and rest:
        name = re.split(r"[.\[]", rest, maxsplit=1)[0]
        return Reference(root, name, parse_path(rest[len(name) :]), text)
    raise MalformedExpression(f"{text!r} is not a reference: it begins with Parameters., Execution. or Steps.")


def is_expression(value: Any) -> bool:
    """Whether a value stands for one that is only known when its step runs."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _EXPRESSIONS


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a value, however deep; raises `MalformedExpression` for an expression not of the schema."""
    if is_expression(value):
        operator, body = next(iter(value.items()))
        if operator == GET:
            yield parse_reference(body)
            return
        _check_form(operator, body)
        yield from references(body)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def _check_form(operator: str, body: Any) -> None:
    members = body.keys() if isinstance(body, Mapping) else set()
    if operator == JOIN:
        good = {"Values"} <= members <= {"On", "Values"} and isinstance(body["Values"], list)
        if not good or not isinstance(body.get("On", ""), str):
            raise MalformedExpression(f"{JOIN} has a list 'Values' and a text 'On', not {body!r}")
        return
    if members not in ({"PropertyFile", "Path"}, {"S3Uri", "Path"}) or not isinstance(body["Path"], str):
        raise MalformedExpression(f"{JSON_GET} has a 'Path' and either a 'PropertyFile' or an 'S3Uri', not {body!r}")
    parse_path(body["Path"].removeprefix("$"))
    if "PropertyFile" in members:
        file = body["PropertyFile"]
        reference = parse_reference(file[GET]) if is_expression(file) and GET in file else None
        if reference is None or reference.root != "Steps" or reference.path[:1] != ("PropertyFiles",):
            raise MalformedExpression(f"{file!r} is no property file: it is Steps.<step>.PropertyFiles.<name>")
