"""The intrinsic functions: what a value of a template becomes once parameters, resources and exports are known.

Reference: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.references import VARIABLE
from local_aws.cloudformation.refusals import refused

# How AWS writes, in a change set, a value that is known only once the change has been carried out.
PENDING = "{{changeSet:KNOWN_AFTER_APPLY}}"

_NO_VALUE = object()


@dataclass(frozen=True)
class Scope:
    """What functions look things up in.

    `values` holds parameters and pseudo parameters; `reference` answers the Ref value of a resource, `attribute` one
    of its attributes, `imported` the value of an export; each raises `AwsError` for a name it does not know.
    """

    region: str
    values: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, bool]
    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    imported: Callable[[str], str]


def is_pending(value: Any) -> bool:
    """Whether any part of a resolved value is known only after the change."""
    if isinstance(value, dict):
        return any(is_pending(item) for item in value.values())
    if isinstance(value, list):
        return any(is_pending(item) for item in value)
    return isinstance(value, str) and PENDING in value


def resolve(value: Any, scope: Scope) -> Any:
    """The value with every function carried out; a member that comes to `AWS::NoValue` is left out."""
    found = _resolve(value, scope)
    return None if found is _NO_VALUE else found


def _resolve(value: Any, scope: Scope) -> Any:
    if isinstance(value, list):
        return [item for item in (_resolve(each, scope) for each in value) if item is not _NO_VALUE]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](argument, scope)
        if name.startswith("Fn::"):
            raise refused(f"Template error: the function {name} is not carried out by local-aws")
    members = {key: _resolve(item, scope) for key, item in value.items()}
    return {key: item for key, item in members.items() if item is not _NO_VALUE}


def _ref(argument: Any, scope: Scope) -> Any:
    if argument == "AWS::NoValue":
        return _NO_VALUE
    if argument in scope.values:
        return scope.values[argument]
    if str(argument).startswith("AWS::"):
        raise refused(f"Template format error: Unresolved pseudo parameter {argument}")
    return scope.reference(argument)


def _get_att(argument: Any, scope: Scope) -> Any:
    pair = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
        raise refused("Template error: every Fn::GetAtt object requires two non-empty parameters")
    return scope.attribute(pair[0], _resolve(pair[1], scope))


def _sub(argument: Any, scope: Scope) -> str:
    text, own = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str) or not isinstance(own, dict):
        raise refused("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments.")
    variables = {name: _resolve(value, scope) for name, value in own.items()}

    def value_of(name: str) -> Any:
        if name in variables:
            return variables[name]
        logical_id, _, attribute = name.partition(".")
        if attribute and name not in scope.values:
            return scope.attribute(logical_id, attribute)
        return _ref(name, scope)

    return VARIABLE.sub(
        lambda found: "${" + found[2] + "}" if found[1] else _text(value_of(found[2].strip()), "Fn::Sub"), text
    )


def _join(argument: Any, scope: Scope) -> str:
    parts = _list(argument, 2, "Fn::Join")
    items = _resolve(parts[1], scope)
    if isinstance(items, str) and is_pending(items):
        return PENDING
    if not isinstance(parts[0], str) or not isinstance(items, list):
        raise refused(
            "Template error: every Fn::Join object requires two parameters, a delimiter and a list of strings"
        )
    return parts[0].join(_text(item, "Fn::Join") for item in items)


def _split(argument: Any, scope: Scope) -> Any:
    delimiter, text = (_resolve(part, scope) for part in _list(argument, 2, "Fn::Split"))
    if is_pending(text):
        return PENDING
    if not isinstance(text, str) or not isinstance(delimiter, str) or not delimiter:
        raise refused("Template error: every Fn::Split object requires two parameters, a delimiter and a string")
    return text.split(delimiter)


def _select(argument: Any, scope: Scope) -> Any:
    index, items = (_resolve(part, scope) for part in _list(argument, 2, "Fn::Select"))
    if is_pending(items):
        return PENDING
    if not isinstance(items, list):
        raise refused("Template error: Fn::Select requires a list argument with two elements")
    try:
        return items[int(index)] if int(index) >= 0 else items[len(items)]
    except (ValueError, TypeError, IndexError):
        raise refused(f"Template error: Fn::Select cannot select nonexistent value at index {index}") from None


def _find_in_map(argument: Any, scope: Scope) -> Any:
    if not isinstance(argument, list) or len(argument) not in (3, 4):
        raise refused(
            "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the "
            "attribute for return value"
        )
    name, key, attribute = (_text(_resolve(part, scope), "Fn::FindInMap") for part in argument[:3])
    try:
        return _resolve(scope.mappings[name][key][attribute], scope)
    except (KeyError, TypeError):
        if len(argument) == 4 and isinstance(argument[3], dict) and "DefaultValue" in argument[3]:
            return _resolve(argument[3]["DefaultValue"], scope)
        raise refused(f"Template error: Unable to get mapping for {name}::{key}::{attribute}") from None


def _if(argument: Any, scope: Scope) -> Any:
    name, then, otherwise = _list(argument, 3, "Fn::If")
    return _resolve(then if _condition(name, scope) else otherwise, scope)


def _condition(name: Any, scope: Scope) -> bool:
    if not isinstance(name, str) or name not in scope.conditions:
        raise refused(f"Template error: unresolved condition dependency {name} in Fn::If")
    return scope.conditions[name]


def _equals(argument: Any, scope: Scope) -> bool:
    left, right = (_resolve(part, scope) for part in _list(argument, 2, "Fn::Equals"))
    return canonical(left) == canonical(right)


def _and(argument: Any, scope: Scope) -> bool:
    return all(truth(_resolve(part, scope)) for part in _several(argument, "Fn::And"))


def _or(argument: Any, scope: Scope) -> bool:
    return any(truth(_resolve(part, scope)) for part in _several(argument, "Fn::Or"))


def _not(argument: Any, scope: Scope) -> bool:
    return not truth(_resolve(_list(argument, 1, "Fn::Not")[0], scope))


def _import_value(argument: Any, scope: Scope) -> str:
    return scope.imported(_text(_resolve(argument, scope), "Fn::ImportValue"))


def _base64(argument: Any, scope: Scope) -> str:
    text = _text(_resolve(argument, scope), "Fn::Base64")
    return PENDING if is_pending(text) else base64.b64encode(text.encode()).decode()


def _zones(argument: Any, scope: Scope) -> list[str]:
    region = _resolve(argument, scope) or scope.region
    return [f"{region}{letter}" for letter in "abc"]


def _cidr(argument: Any, scope: Scope) -> Any:
    parts = [_resolve(part, scope) for part in argument] if isinstance(argument, list) else []
    if is_pending(parts):
        return PENDING
    try:
        network, count = ipaddress.ip_network(parts[0]), int(parts[1])
        bits = int(parts[2]) if len(parts) == 3 else 8
        subnets = network.subnets(new_prefix=network.max_prefixlen - bits)
        return [str(next(subnets)) for _ in range(count)]
    except (ValueError, TypeError, IndexError, StopIteration) as error:
        raise refused(f"Template error: Fn::Cidr cannot divide {parts}: {error}") from error


_FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Not": _not,
    "Fn::ImportValue": _import_value,
    "Fn::Base64": _base64,
    "Fn::GetAZs": _zones,
    "Fn::Cidr": _cidr,
}


def _text(value: Any, function: str) -> str:
    if isinstance(value, bool | int | float):
        return str(canonical(value))
    if not isinstance(value, str):
        raise refused(f"Template error: {function} takes strings, and was given {_kind(value)}")
    return value


def truth(value: Any) -> bool:
    """A resolved condition as true or false; raises `AwsError` for anything else."""
    if canonical(value) not in ("true", "false"):
        raise refused(f"Template error: a condition is {_kind(value)} and not true or false")
    return canonical(value) == "true"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "no value" if value is _NO_VALUE else repr(value)


def _list(argument: Any, length: int, function: str) -> list[Any]:
    if not isinstance(argument, list) or len(argument) != length:
        raise refused(f"Template error: every {function} object requires a list of {length} parameters")
    return argument


def _several(argument: Any, function: str) -> list[Any]:
    if not isinstance(argument, list) or not 2 <= len(argument) <= 10:
        raise refused(f"Template error: every {function} object requires a list of 2 to 10 boolean parameters.")
    return argument
