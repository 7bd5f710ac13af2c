"""Pipeline parameters: what a definition declares, and the values an execution is started with.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-parameters.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.errors import AwsError, validation_error

Value = str | int | float | bool
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")
_MEMBERS = {"Name", "Type", "DefaultValue", "EnumValues", "Description"}
_TYPES = ("String", "Integer", "Float", "Boolean")


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
        raise _unparsable(f"Invalid parameter name {name!r}.")
    unknown = item.keys() - _MEMBERS
    if unknown:
        raise _unparsable(f"Unknown member '{min(unknown)}' in parameter '{name}'.")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _unparsable(f"Parameter '{name}' has type {kind!r}: use one of {', '.join(_TYPES)}.")
    allowed = item.get("EnumValues") or []
    if not isinstance(allowed, list) or not all(isinstance(value, str) for value in allowed):
        raise _unparsable(f"'EnumValues' of parameter '{name}' must be a list of texts.")
    parameter = Parameter(name, kind, _default(item, name, kind), tuple(allowed))
    if parameter.default is not None:
        _check_allowed(parameter, parameter.default)
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


def _default(item: dict[str, Any], name: str, kind: str) -> Value | None:
    value = item.get("DefaultValue")
    if value is None:
        return None
    if kind == "Boolean" and isinstance(value, bool):
        return value
    if not isinstance(value, bool):
        if kind == "String" and isinstance(value, str):
            return value
        if kind == "Integer" and isinstance(value, int):
            return value
        if kind == "Float" and isinstance(value, int | float):
            return float(value)
    raise _unparsable(f"The default value {value!r} of parameter '{name}' is not of type {kind}.")


def _parsed(parameter: Parameter, text: str) -> Value:
    if parameter.type == "String":
        if not text:
            # AWS refuses the empty text, in these words.
            raise validation_error('[string "" is too short (length: 0, required minimum: 1)]')
        value: Value | None = text
    else:
        value = _READ[parameter.type](text)
    if value is None:
        raise validation_error(
            f"Invalid value [{text}] for pipeline parameter [{parameter.name}]: "
            f"expected a value of type {parameter.type}."
        )
    _check_allowed(parameter, value)
    return value


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else None


def _float(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


_READ: dict[str, Callable[[str], Value | None]] = {"Integer": _integer, "Float": _float, "Boolean": _boolean}


def _unparsable(reason: str) -> AwsError:
    return validation_error(f"Unable to parse pipeline definition. {reason}")


def _check_allowed(parameter: Parameter, value: Value) -> None:
    if parameter.allowed and value not in parameter.allowed:
        raise validation_error(
            f"Invalid value [{value}] for pipeline parameter [{parameter.name}]: "
            f"it must be one of [{', '.join(parameter.allowed)}]."
        )
