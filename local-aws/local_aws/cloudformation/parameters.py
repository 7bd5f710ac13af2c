"""Parameters of a template: what is declared, what a request gives for it, and what the rules make of that.

Rules: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import regex

from local_aws.cloudformation.refusals import refused

HIDDEN = "****"
_AWS_TYPE = re.compile(r"AWS::[A-Za-z0-9]+::[A-Za-z0-9:]+|List<AWS::[A-Za-z0-9]+::[A-Za-z0-9:]+>")
_SSM_VALUE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_PROPERTIES = {
    "Type",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
    "NoEcho",
    "Description",
    "ConstraintDescription",
}


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; numbers of the rules are None where the rule is not set."""

    name: str
    type_name: str
    default: str | None
    allowed_values: tuple[str, ...]
    allowed_pattern: str | None
    min_length: int | None
    max_length: int | None
    min_value: float | None
    max_value: float | None
    no_echo: bool
    description: str | None
    constraint_description: str | None

    @property
    def ssm_type(self) -> str | None:
        """The type of the value behind a parameter that names an SSM parameter, or None."""
        found = _SSM_VALUE.fullmatch(self.type_name)
        return found[1] if found else None


@dataclass(frozen=True)
class Given:
    """What a stack has for its parameters: the texts that were given, and the values the template sees."""

    texts: dict[str, str]
    values: dict[str, Any]


def declared(section: Mapping[str, Mapping[str, Any]]) -> dict[str, Parameter]:
    """The parameters of a template; raises `AwsError` (ValidationError) for a declaration that AWS would refuse."""
    return {name: _declared(name, entry) for name, entry in section.items()}


def _declared(name: str, entry: Mapping[str, Any]) -> Parameter:
    unknown = sorted(set(entry) - _PROPERTIES)
    if unknown:
        raise refused(f"Invalid template parameter property '{unknown[0]}'")
    type_name = entry.get("Type")
    if not isinstance(type_name, str):
        raise refused(f"Template format error: Every Parameters object must contain a Type member. ({name})")
    known = type_name in ("String", "Number", "List<Number>", "CommaDelimitedList")
    if not known and not _AWS_TYPE.fullmatch(type_name) and not _SSM_VALUE.fullmatch(type_name):
        raise refused(f"Template format error: Unrecognized parameter type: {type_name}")
    default = entry.get("Default")
    parameter = Parameter(
        name=name,
        type_name=type_name,
        default=None if default is None else _text(name, default),
        allowed_values=tuple(_text(name, value) for value in entry.get("AllowedValues", [])),
        allowed_pattern=entry.get("AllowedPattern"),
        min_length=_number(entry, "MinLength", int),
        max_length=_number(entry, "MaxLength", int),
        min_value=_number(entry, "MinValue", float),
        max_value=_number(entry, "MaxValue", float),
        no_echo=_text(name, entry.get("NoEcho", False)) == "true",
        description=entry.get("Description"),
        constraint_description=entry.get("ConstraintDescription"),
    )
    return parameter


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise refused(f"Template format error: Every Default and AllowedValues member must be a string. ({name})")


def _number(entry: Mapping[str, Any], rule: str, kind: type) -> Any:
    if rule not in entry:
        return None
    try:
        return kind(entry[rule])
    except (TypeError, ValueError):
        raise refused(f"Template format error: {rule} must be a number.") from None


def take(
    parameters: Mapping[str, Parameter],
    request: list[dict[str, Any]],
    previous: Mapping[str, str],
    ssm: Callable[[str], str],
) -> Given:
    """What each parameter is: given, the stack's previous value where the request asks for that, or its default.

    `ssm` answers the value of an SSM parameter. Raises `AwsError` (ValidationError) for a value that is missing, not
    declared, or against its parameter's rules.
    """
    texts = {name: parameter.default for name, parameter in parameters.items()}
    unknown = [entry["ParameterKey"] for entry in request if entry.get("ParameterKey") not in parameters]
    if unknown:
        raise refused(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for entry in request:
        name = entry["ParameterKey"]
        if entry.get("UsePreviousValue"):
            if "ParameterValue" in entry:
                raise refused(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty "
                    "value for a parameter"
                )
            if name not in previous:
                raise refused(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter "
                    "key not in the previous template"
                )
            texts[name] = previous[name]
        else:
            texts[name] = entry.get("ParameterValue", texts[name])
    missing = [name for name, text in texts.items() if text is None]
    if missing:
        raise refused(f"Parameters: [{', '.join(missing)}] must have values")
    present = {name: str(text) for name, text in texts.items()}
    values = {name: _value(parameters[name], text, ssm) for name, text in present.items()}
    return Given(present, values)


def _value(parameter: Parameter, text: str, ssm: Callable[[str], str]) -> Any:
    type_name = parameter.type_name
    if parameter.ssm_type is not None:
        text, type_name = ssm(text), parameter.ssm_type
    if type_name in ("CommaDelimitedList", "List<Number>") or type_name.startswith("List<"):
        items = [item.strip() for item in text.split(",")] if text else []
        for item in items:
            _check(parameter, item, "Number" if type_name == "List<Number>" else "String")
        return items
    _check(parameter, text, type_name)
    return text


def _check(parameter: Parameter, text: str, type_name: str) -> None:
    broken = _broken(parameter, text, type_name)
    if broken:
        says = parameter.constraint_description
        raise refused(
            f"Parameter {parameter.name} failed to satisfy constraint: {says}"
            if says
            else f"Parameter '{parameter.name}' {broken}"
        )


def _broken(parameter: Parameter, text: str, type_name: str) -> str | None:
    number = _as_number(text)
    if type_name == "Number" and number is None:
        return "must be a number."
    if parameter.allowed_values and text not in parameter.allowed_values:
        return f"must be one of AllowedValues ({', '.join(parameter.allowed_values)}); it is {_shown(parameter, text)}"
    if parameter.allowed_pattern is not None and not _matches(parameter, text):
        return f"must match pattern {parameter.allowed_pattern}"
    if parameter.min_length is not None and len(text) < parameter.min_length:
        return f"must contain at least {parameter.min_length} characters"
    if parameter.max_length is not None and len(text) > parameter.max_length:
        return f"must contain at most {parameter.max_length} characters"
    if number is not None and parameter.min_value is not None and number < parameter.min_value:
        return f"must be a number not less than {parameter.min_value:g}"
    if number is not None and parameter.max_value is not None and number > parameter.max_value:
        return f"must be a number not greater than {parameter.max_value:g}"
    return None


def _matches(parameter: Parameter, text: str) -> bool:
    try:
        return regex.fullmatch(str(parameter.allowed_pattern), text) is not None
    except regex.error as error:
        raise refused(
            f"Template format error: AllowedPattern of parameter {parameter.name} is no pattern: {error}"
        ) from error


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown(parameter: Parameter, text: str) -> str:
    return HIDDEN if parameter.no_echo else repr(text)


def described(parameters: Mapping[str, Parameter], given: Given) -> list[dict[str, str]]:
    """The parameters as DescribeStacks shows them: NoEcho ones hidden, SSM ones with the value they led to."""
    rows = []
    for name, text in given.texts.items():
        parameter = parameters[name]
        row = {"ParameterKey": name, "ParameterValue": HIDDEN if parameter.no_echo else text}
        if parameter.ssm_type is not None:
            value = given.values[name]
            row["ResolvedValue"] = ",".join(value) if isinstance(value, list) else value
        rows.append(row)
    return rows
