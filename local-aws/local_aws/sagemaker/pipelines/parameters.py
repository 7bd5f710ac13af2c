"""Pipeline parameters: what a definition declares, and the values an execution is started with.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-parameters.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.errors import validation_error

Value = str | int | float | bool
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")
_MEMBERS = {"Name", "Type", "DefaultValue", "EnumValues", "Description"}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; without a default a value must be given at the start of each execution."""

    name: str
    type: str
    default: Value | None = None
    allowed: tuple[str, ...] = ()


def read_parameter(item: dict[str, Any]) -> Parameter:
    """A parameter as a definition declares it; raises `AwsError` (ValidationException)."""
    name, kind = item.get("Name"), item.get("Type", "String")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise validation_error(f"Unable to parse pipeline definition. Invalid parameter name {name!r}.")
    unknown = item.keys() - _MEMBERS
    if unknown:
        raise validation_error(
            f"Unable to parse pipeline definition. Unknown member '{min(unknown)}' in parameter '{name}'."
        )
    if kind not in _PYTHON_TYPES:
        known = ", ".join(_PYTHON_TYPES)
        raise validation_error(
            f"Unable to parse pipeline definition. Parameter '{name}' has type {kind!r}: use one of {known}."
        )
    default, allowed = item.get("DefaultValue"), tuple(item.get("EnumValues") or ())
    if default is not None:
        is_bool = isinstance(default, bool)
        if not isinstance(default, _PYTHON_TYPES[kind]) or is_bool != (kind == "Boolean"):
            raise validation_error(
                f"Unable to parse pipeline definition. The default value {default!r} of parameter '{name}' is not of type {kind}."
            )
        if kind == "Float":
            default = float(default)
    parameter = Parameter(name, kind, default, allowed)
    if default is not None:
        _check_allowed(parameter, default)
    return parameter


def values_for(declared: Mapping[str, Parameter], given: list[dict[str, str]]) -> dict[str, Value]:
    """The value of every declared parameter, from the `PipelineParameters` of a start request or the defaults.

    Raises `AwsError` (ValidationException) for a parameter that is not declared, one without a value, a value that is
    not of the parameter's type and one that is not among its enumeration.
    """
    texts: dict[str, str] = {}
    for item in given:
        if item["Name"] in texts:
            raise validation_error(f"Pipeline parameter [{item['Name']}] is given more than once.")
        texts[item["Name"]] = item["Value"]
    unknown = sorted(texts.keys() - declared.keys())
    if unknown:
        known = ", ".join(sorted(declared)) or "none"
        raise validation_error(
            f"Unknown pipeline parameters [{', '.join(unknown)}]: the pipeline definition declares {known}."
        )
    missing = [name for name, parameter in declared.items() if parameter.default is None and name not in texts]
    if missing:
        raise validation_error(
            f"Missing values for pipeline parameters [{', '.join(missing)}], which have no default value."
        )
    values: dict[str, Value] = {}
    for name, parameter in declared.items():
        if name in texts:
            values[name] = _parsed(parameter, texts[name])
        elif parameter.default is not None:
            values[name] = parameter.default
    return values


def as_text(value: Any) -> str:
    """A value as the text it becomes in `Std:Join` and in the lists of the API: `true`, `3`, `0.1`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _parsed(parameter: Parameter, text: str) -> Value:
    value: Value
    try:
        if parameter.type == "Integer":
            value = int(text)
        elif parameter.type == "Float":
            value = float(text)
            if not math.isfinite(value):
                raise ValueError("not a finite number")
        elif parameter.type == "Boolean":
            value = {"true": True, "false": False}[text.lower()]
        else:
            if not text:
                raise validation_error(
                    f'Pipeline parameter [{parameter.name}]: [string "" is too short (length: 0, required minimum: 1)]'
                )
            value = text
    except (ValueError, KeyError):
        raise validation_error(
            f"Invalid value [{text}] for pipeline parameter [{parameter.name}]: expected a value of type {parameter.type}."
        ) from None
    _check_allowed(parameter, value)
    return value


def _check_allowed(parameter: Parameter, value: Value) -> None:
    if parameter.allowed and value not in parameter.allowed:
        raise validation_error(
            f"Invalid value [{value}] for pipeline parameter [{parameter.name}]: "
            f"it must be one of [{', '.join(parameter.allowed)}]."
        )
