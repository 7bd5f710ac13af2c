"""The Rules section: what must hold of a stack's parameters before anything is made or changed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_aws.cloudformation import intrinsics
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.intrinsics import Scope
from local_aws.cloudformation.refusals import refused

_BOOLEAN = {"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or"}
# They read the properties of other resources of the account through a parameter that names them.
_NOT_CARRIED_OUT = {"Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"}


def check_form(declared: Mapping[str, Any]) -> None:
    """Raise `AwsError` (ValidationError) for rules that are not written as rules are."""
    for name, rule in declared.items():
        where = f"[/Rules/{name}]"
        if not isinstance(rule, dict) or not isinstance(rule.get("Assertions"), list) or not rule["Assertions"]:
            raise refused(f"Template format error: {where} Every Rules member must contain a list of Assertions.")
        unknown = sorted(set(rule) - {"Assertions", "RuleCondition"})
        if unknown:
            raise refused(f"Template format error: {where} Invalid rule property '{unknown[0]}'")
        for assertion in rule["Assertions"]:
            if not isinstance(assertion, dict) or "Assert" not in assertion:
                raise refused(f"Template format error: {where} Every assertion must contain an Assert.")
            unknown = sorted(set(assertion) - {"Assert", "AssertDescription"})
            if unknown:
                raise refused(f"Template format error: {where} Invalid assertion property '{unknown[0]}'")
        _check_functions(rule, where)


def _check_functions(value: Any, where: str) -> None:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_functions(item, where)
    if isinstance(value, dict) and len(value) == 1:
        name = next(iter(value))
        if name in _NOT_CARRIED_OUT:
            raise refused(f"Template format error: {where} the function {name} is not carried out by local-aws.")
        if name == "Condition" or (name.startswith("Fn::") and name not in _BOOLEAN | set(_MEMBERSHIP)):
            raise refused(f"Template format error: {where} the function {name} is not allowed in rules.")


def check(declared: Mapping[str, Any], scope: Scope) -> None:
    """Raise `AwsError` (ValidationError), with what the rules say of it, where the parameters break one."""
    broken = []
    for name, rule in declared.items():
        if "RuleCondition" in rule and not _holds(rule["RuleCondition"], scope):
            continue
        for assertion in rule["Assertions"]:
            if not _holds(assertion["Assert"], scope):
                says = assertion.get("AssertDescription") or "the assertion does not hold"
                broken.append(f"{name}: {says}")
    if broken:
        raise refused(f"Template error: parameters do not satisfy the Rules of the template: {'; '.join(broken)}")


def _holds(value: Any, scope: Scope) -> bool:
    return intrinsics.truth(intrinsics.resolve(_members_compared(value, scope), scope))


def _members_compared(value: Any, scope: Scope) -> Any:
    """The value with the functions that only rules have carried out, innermost first."""
    if isinstance(value, list):
        return [_members_compared(item, scope) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _members_compared(item, scope) for key, item in value.items()}
    name = next(iter(inner)) if len(inner) == 1 else ""
    if name not in _MEMBERSHIP:
        return inner
    arguments = canonical(intrinsics.resolve(inner[name], scope))
    if not isinstance(arguments, list) or len(arguments) != 2 or not isinstance(arguments[0], list):
        raise refused(f"Template error: every {name} object requires a list of strings and what it is compared with")
    return _MEMBERSHIP[name](*arguments)


def _each_in(members: list[Any], allowed: Any) -> bool:
    return isinstance(allowed, list) and all(member in allowed for member in members)


# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html
_MEMBERSHIP: dict[str, Callable[[list[Any], Any], bool]] = {
    "Fn::Contains": lambda members, value: value in members,
    "Fn::EachMemberEquals": lambda members, value: all(member == value for member in members),
    "Fn::EachMemberIn": _each_in,
}
