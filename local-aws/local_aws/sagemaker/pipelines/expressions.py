"""The value of an expression while a pipeline executes: `Get`, `Std:Join` and `Std:JsonGet`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local_aws.sagemaker.pipelines.parameters import Value, as_text
from local_aws.sagemaker.pipelines.references import (
    GET,
    JOIN,
    JSON_GET,
    MalformedExpression,
    Path,
    is_expression,
    parse_path,
    parse_reference,
)

# Members that name the entries of the lists in SageMaker's responses: `Outputs['train']` is the entry of that name.
_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")


class ExpressionFailure(Exception):
    """An expression has no value in this execution; the step that needs it fails with this message."""


@dataclass(frozen=True)
class Scope:
    """What expressions can see.

    `steps` holds the properties of the steps that have succeeded, `property_file` gives the S3 URI of a property file
    by its step and name, and `read_s3` the text of an S3 object.
    """

    parameters: Mapping[str, Value]
    execution: Mapping[str, str]
    steps: Mapping[str, Mapping[str, Any]]
    property_file: Callable[[str, str], str]
    read_s3: Callable[[str], str]

    def named(self, execution: Mapping[str, str]) -> Scope:
        """The same, with more execution variables (the name of a step's own job)."""
        return replace(self, execution={**self.execution, **execution})


def evaluate(value: Any, scope: Scope) -> Any:
    """The value with every expression in it replaced by what it stands for, and nulls left out of structures.

    Raises `ExpressionFailure`.
    """
    if is_expression(value):
        return _evaluate(value, scope)
    if isinstance(value, Mapping):
        return {name: evaluate(item, scope) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    return value


def look_up(value: Any, path: Path, text: str) -> Any:
    """What stands at a place in a JSON value; raises `ExpressionFailure` naming the first step that leads nowhere."""
    for step in path:
        found = _child(value, step)
        if found is None:
            raise ExpressionFailure(f"Unable to resolve [{text}]: there is no {step!r}.")
        value = found
    return value


def _evaluate(expression: Mapping[str, Any], scope: Scope) -> Any:
    operator, body = next(iter(expression.items()))
    if operator == GET:
        return _get(body, scope)
    if not isinstance(body, Mapping):
        raise ExpressionFailure(f"Malformed expression {operator}: {body!r}.")
    if operator == JOIN:
        parts = [evaluate(item, scope) for item in body.get("Values", [])]
        for part in parts:
            if isinstance(part, Mapping | list):
                raise ExpressionFailure(f"{JOIN} joins texts and numbers, not {json.dumps(part, default=str)[:100]}.")
        return as_text(body.get("On", "")).join(as_text(part) for part in parts)
    return _json_get(body, scope)


def _get(text: Any, scope: Scope) -> Any:
    try:
        reference = parse_reference(text)
    except MalformedExpression as error:
        raise ExpressionFailure(f"Unable to resolve [{text}]: {error}.") from error
    source: Mapping[str, Any] = {
        "Parameters": scope.parameters,
        "Execution": scope.execution,
        "Steps": scope.steps,
    }[reference.root]
    if reference.name not in source:
        raise ExpressionFailure(f"Unable to resolve [{text}]: it has no value in this execution.")
    return look_up(source[reference.name], reference.path, reference.text)


def _json_get(body: Mapping[str, Any], scope: Scope) -> Any:
    if "PropertyFile" in body:
        try:
            reference = parse_reference(body["PropertyFile"].get(GET))
        except MalformedExpression as error:
            raise ExpressionFailure(f"{JSON_GET}: {error}.") from error
        uri = scope.property_file(reference.name, str(reference.path[-1]))
    else:
        uri = evaluate(body.get("S3Uri"), scope)
    where = body.get("Path")
    try:
        path = parse_path(str(where).removeprefix("$"))
        document = json.loads(scope.read_s3(uri))
    except json.JSONDecodeError as error:
        raise ExpressionFailure(f"{JSON_GET}: {uri} is not valid JSON: {error}.") from error
    except MalformedExpression as error:
        raise ExpressionFailure(f"{JSON_GET}: {error}.") from error
    value = look_up(document, path, f"{where} in {uri}")
    if isinstance(value, Mapping | list):
        raise ExpressionFailure(f"{JSON_GET}: {where} in {uri} is not a single value.")
    return value


def _child(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list):
        named = (item for item in value if isinstance(item, Mapping))
        return next((item for item in named if any(item.get(name) == step for name in _NAMES)), None)
    return None
