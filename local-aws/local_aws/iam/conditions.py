"""The Condition element of statements: operators over the values of condition keys.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import base64
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_aws.iam import patterns
from local_aws.iam.context import Context, NotEvaluated

_PARTS = 6
_SEPARATOR = re.compile(r":(?![^{]*\})")
Test = Callable[[str, str, Context, bool], bool]


@dataclass(frozen=True)
class Condition:
    """One operator on one key, with the policy's values for it."""

    operator: str
    key: str
    values: tuple[str, ...]
    variables: bool

    def holds(self, context: Context) -> bool:
        """Whether it is met; raises `NotEvaluated` for keys and operators that are not known here."""
        quantifier, _, name = self.operator.rpartition(":")
        given = context.get(self.key)
        if name == "Null":
            return (given is None) == (self.values[0].lower() == "true")
        if name.endswith("IfExists"):
            if given is None:
                return True
            name = name.removesuffix("IfExists")
        known = _OPERATORS.get(name.lower())
        if known is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
            raise NotEvaluated(f"condition operator {self.operator}")
        negated, test = known
        if given is None:
            return quantifier == "ForAllValues" or (negated and not quantifier)

        def meets(value: str) -> bool:
            return negated != any(self._like(test, wanted, value, context) for wanted in self.values)

        if quantifier == "ForAnyValue":
            return any(map(meets, given))
        # Without a quantifier a negated operator must hold for every value, any other for one.
        return all(map(meets, given)) if quantifier or negated else any(map(meets, given))

    def _like(self, test: Test, wanted: str, value: str, context: Context) -> bool:
        try:
            return test(wanted, value, context, self.variables)
        except ValueError:
            return False


def read(element: Mapping[str, Mapping[str, Any]], *, variables: bool) -> tuple[Condition, ...]:
    """The conditions of a statement's element, each of which has to hold."""
    return tuple(
        Condition(operator, key, _texts(values), variables)
        for operator, keys in element.items()
        for key, values in keys.items()
    )


def _texts(values: Any) -> tuple[str, ...]:
    several = values if isinstance(values, list) else [values]
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in several)


def _string_like(wanted: str, value: str, context: Context, variables: bool) -> bool:
    return patterns.like(wanted, value, context, variables=variables)


def _arn_like(wanted: str, value: str, context: Context, variables: bool) -> bool:
    """Each part of an ARN is matched by itself: no wildcard leads into the next."""
    parts, theirs = _SEPARATOR.split(wanted, _PARTS - 1), value.split(":", _PARTS - 1)
    return len(parts) == len(theirs) and all(
        patterns.like(part, their, context, variables=variables) for part, their in zip(parts, theirs, strict=True)
    )


def _compared(compare: Callable[[str, str], bool]) -> Test:
    """A test of the value and the policy's text, without wildcards."""

    def test(wanted: str, value: str, context: Context, variables: bool) -> bool:
        text = patterns.filled(wanted, context, variables=variables)
        return text is not None and compare(value, text)

    return test


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _ordered(of: Callable[[str], float], compare: Callable[[float, float], bool]) -> Test:
    return _compared(lambda value, wanted: compare(of(value), of(wanted)))


_equal = _compared(str.__eq__)
_equal_folded = _compared(lambda value, wanted: value.lower() == wanted.lower())
_same_bytes = _compared(lambda value, wanted: base64.b64decode(value) == base64.b64decode(wanted))
_within = _compared(lambda value, wanted: ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False))

# Operator in lower case: whether it is negated, and the test of one value against one of the policy's.
_OPERATORS: dict[str, tuple[bool, Test]] = {
    "stringequals": (False, _equal),
    "stringnotequals": (True, _equal),
    "stringequalsignorecase": (False, _equal_folded),
    "stringnotequalsignorecase": (True, _equal_folded),
    "stringlike": (False, _string_like),
    "stringnotlike": (True, _string_like),
    "bool": (False, _equal_folded),
    "binaryequals": (False, _same_bytes),
    "ipaddress": (False, _within),
    "notipaddress": (True, _within),
    "arnequals": (False, _arn_like),
    "arnlike": (False, _arn_like),
    "arnnotequals": (True, _arn_like),
    "arnnotlike": (True, _arn_like),
    **{
        f"{kind}{name}": (name == "notequals", _ordered(of, compare))
        for kind, of in (("numeric", float), ("date", _seconds))
        for name, compare in (
            ("equals", operator.eq),
            ("notequals", operator.eq),
            ("lessthan", operator.lt),
            ("lessthanequals", operator.le),
            ("greaterthan", operator.gt),
            ("greaterthanequals", operator.ge),
        )
    },
}
