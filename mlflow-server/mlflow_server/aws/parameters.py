"""The values a stack is deployed with: what is told now, else what the stack has, else what the template says.
All of them are held to the template's own patterns and rules before CloudFormation is asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_server.aws.template import Parameter, Template
from mlflow_server.errors import ServerError


def read_file(path: Path, template: Template) -> dict[str, str]:
    """The parameters in a YAML file, by the template's names; its keys are those names in small letters.

    Raises:
        ServerError: it is not YAML, or a key in it is none of the template's.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ServerError(f"The parameters file {path} cannot be read: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise ServerError(f"The parameters file {path} holds no keys: write lines such as 'size: medium'.")
    known = {each.key: each for each in template.parameters.values()}
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"perhaps {near[0]} is meant" if near else f"there are {', '.join(known)}"
            raise ServerError(f"{path}: {key} is no parameter of the server; {hint}.")
    return {known[key].name: _text(value) for key, value in content.items() if value is not None}


def settle(template: Template, told: Mapping[str, str], deployed: Mapping[str, str]) -> dict[str, str]:
    """The value of every parameter.

    Raises:
        ServerError: a value is missing or malformed, or values contradict one another; all faults are named.
    """
    values, faults = {}, []
    for name, parameter in template.parameters.items():
        value = told.get(name, deployed.get(name, parameter.default))
        if value is None:
            faults.append(f"{parameter.option} is missing: {parameter.description.rstrip('.')}")
            continue
        fault = _fault(parameter, value)
        if fault:
            faults.append(f"{parameter.option} {fault}")
        values[name] = value
    faults = faults or broken_rules(template.rules, values)
    if faults:
        raise ServerError("; ".join(fault.rstrip(".") for fault in faults) + ".")
    return values


def broken_rules(rules: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """What the template's rules say of these values.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
    """
    return [
        str(assertion["AssertDescription"])
        for rule in rules.values()
        if _holds(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
        if not _holds(assertion["Assert"], values)
    ]


def _holds(expression: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    ((function, arguments),) = expression.items()
    if function == "Fn::Equals":
        left, right = (values[each["Ref"]] if isinstance(each, dict) else str(each) for each in arguments)
        return left == right
    if function == "Fn::Not":
        return not _holds(arguments[0], values)
    combine = {"Fn::And": all, "Fn::Or": any}[function]
    return combine(_holds(each, values) for each in arguments)


def _fault(parameter: Parameter, value: str) -> str | None:
    if parameter.allowed and value not in parameter.allowed:
        return f"is {value!r}: give one of {', '.join(parameter.allowed)}"
    if parameter.pattern and not re.fullmatch(parameter.pattern, value):
        return f"is {value!r}: give {parameter.constraint or _form(parameter)}"
    least, most = parameter.lengths
    if not (least or 0) <= len(value) <= (most or len(value)):
        return f"has {len(value)} characters: give {parameter.constraint or f'{least} to {most}'}"
    lowest, highest = parameter.bounds
    if lowest is not None and highest is not None and not (value.isdigit() and lowest <= int(value) <= highest):
        return f"is {value!r}: give a number from {lowest} to {highest}"
    return None


def _form(parameter: Parameter) -> str:
    form, empty = parameter.pattern.removeprefix("|"), parameter.pattern.startswith("|")
    return f"the form {form}{', or nothing' if empty else ''} ({parameter.description.rstrip('.')})"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
