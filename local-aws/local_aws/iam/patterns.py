"""The patterns of policies: `*` and `?`, and variables such as ${aws:PrincipalAccount} that the request fills in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from local_aws.iam.context import Context

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"(.*?)\s*,\s*'(.*)'", re.DOTALL)
_LITERALS = {"*": "*", "?": "?", "$": "$"}


class Patterns:
    """Alternatives of one element of a statement; `variables` says whether ${...} stands for something in them."""

    def __init__(self, texts: Sequence[str], *, variables: bool, fold_case: bool = False) -> None:
        self._fold_case = fold_case
        self._open = tuple(text for text in texts if variables and "${" in text)
        fixed = [text for text in texts if text not in self._open]
        self.everything = "*" in fixed
        self._fixed = _regex("|".join(_glob(text) for text in fixed), fold_case) if fixed else None

    def match(self, value: str, context: Context) -> bool:
        """Whether one of them matches; raises `NotEvaluated` for a variable that is not known here."""
        if self._fixed is not None and self._fixed.fullmatch(value):
            return True
        for text in self._open:
            regex = _filled(text, context, wildcards=True)
            if regex is not None and _regex(regex, self._fold_case).fullmatch(value):
                return True
        return False


def like(pattern: str, value: str, context: Context, *, variables: bool) -> bool:
    """Whether a value is like one pattern of a condition."""
    if variables and "${" in pattern:
        regex = _filled(pattern, context, wildcards=True)
        return regex is not None and _regex(regex, False).fullmatch(value) is not None
    return _regex(_glob(pattern), False).fullmatch(value) is not None


def filled(text: str, context: Context, *, variables: bool) -> str | None:
    """A text with its variables replaced, without wildcards; None where the request has no value for one."""
    if not variables or "${" not in text:
        return text
    pieces: list[str] = []
    for literal, value in _pieces(text, context):
        if value is None:
            return None
        pieces += [literal, value]
    return "".join(pieces)


def _filled(text: str, context: Context, *, wildcards: bool) -> str | None:
    pieces: list[str] = []
    for literal, value in _pieces(text, context):
        if value is None:
            return None
        pieces += [_glob(literal) if wildcards else re.escape(literal), re.escape(value)]
    return "".join(pieces)


def _pieces(text: str, context: Context) -> list[tuple[str, str | None]]:
    """Literal text, each followed by the value of the variable behind it (empty at the end, None for no value)."""
    found: list[tuple[str, str | None]] = []
    end = 0
    for variable in _VARIABLE.finditer(text):
        found.append((text[end : variable.start()], _value(variable[1], context)))
        end = variable.end()
    return [*found, (text[end:], "")]


def _value(name: str, context: Context) -> str | None:
    if name in _LITERALS:
        return _LITERALS[name]
    default = _DEFAULT.fullmatch(name)
    values = context.get(default[1] if default else name)
    # A key of several values cannot be a variable.
    if values is not None and len(values) == 1:
        return values[0]
    return default[2] if default else None


def _glob(text: str) -> str:
    return "".join(
        ".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", text)
    )


@functools.lru_cache(4096)
def _regex(text: str, fold_case: bool) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL | (re.IGNORECASE if fold_case else 0))
