"""The conditions of a Condition step: https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_aws.sagemaker.pipelines.expressions import ExpressionFailure, Scope, evaluate

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
# The members of each type of condition; those of the nested ones hold conditions.
_MEMBERS: dict[str, set[str]] = {
    "Equals": {"LeftValue", "RightValue"},
    **{name: {"LeftValue", "RightValue"} for name in _ORDER},
    "In": {"QueryValue", "Values"},
    "Not": {"Condition"},
    "Or": {"Conditions"},
}


def malformed(condition: Any) -> Iterator[str]:
    """One sentence for each fault in the form of a condition, nested ones included."""
    kind = condition.get("Type") if isinstance(condition, Mapping) else None
    if not isinstance(kind, str) or kind not in _MEMBERS:
        yield f"Unknown condition type {kind!r}: use one of {', '.join(_MEMBERS)}."
        return
    if condition.keys() - {"Type"} != _MEMBERS[kind]:
        yield f"A condition of type {kind} has the members {', '.join(sorted(_MEMBERS[kind]))}."
    elif kind == "Not":
        yield from malformed(condition["Condition"])
    elif kind in ("Or", "In") and not isinstance(condition["Conditions" if kind == "Or" else "Values"], list):
        yield "Expecting start of Json Array."
    elif kind == "Or":
        for nested in condition["Conditions"]:
            yield from malformed(nested)


def holds(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Whether a condition is met; raises `ExpressionFailure` for values that cannot be had or compared."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Condition"], scope)
    if kind == "Or":
        return any(holds(nested, scope) for nested in condition["Conditions"])
    if kind == "In":
        query = evaluate(condition["QueryValue"], scope)
        return any(_equal(query, value) for value in evaluate(condition["Values"], scope))
    left, right = evaluate(condition["LeftValue"], scope), evaluate(condition["RightValue"], scope)
    if kind == "Equals":
        return _equal(left, right)
    if not (_is_number(left) and _is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        raise ExpressionFailure(f"Condition {kind} cannot compare {left!r} with {right!r}: their types differ.")
    return _ORDER[kind](left, right)


def _equal(left: Any, right: Any) -> bool:
    # True is not 1 here, though Python says so.
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
