"""Patterns for branches, tags and file paths: the globs of Java, whose rules CodePipeline's documentation names.

https://docs.aws.amazon.com/codepipeline/latest/userguide/syntax-glob.html
"""

from __future__ import annotations

import functools
import re


class InvalidPattern(Exception):
    """A pattern with a group or a bracket that is not closed, or with a group in a group."""


def matches(pattern: str, name: str) -> bool:
    """Whether a whole name matches a pattern; raises `InvalidPattern`.

    `*` stays within a part of a path and `**` goes over any number of them, `?` is one character, `[a-z]` and `[!a-z]`
    one out of a set, `{a,b}` either of several; a backslash takes the meaning from what follows. `**/x` wants at least
    one slash: it does not match `x` at the root.
    """
    return _compiled(pattern).fullmatch(name) is not None


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    pieces, at, in_group = [], 0, False
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "\\":
            if at == len(pattern):
                raise InvalidPattern(f"the pattern {pattern!r} ends with a backslash")
            pieces.append(re.escape(pattern[at]))
            at += 1
        elif character == "*":
            double = pattern.startswith("*", at)
            pieces.append(".*" if double else "[^/]*")
            at += double
        elif character == "?":
            pieces.append("[^/]")
        elif character == "[":
            piece, at = _bracket(pattern, at)
            pieces.append(piece)
        elif character == "{":
            if in_group:
                raise InvalidPattern(f"the pattern {pattern!r} has a group in a group")
            pieces.append("(?:")
            in_group = True
        elif character == "}" and in_group:
            pieces.append(")")
            in_group = False
        elif character == "," and in_group:
            pieces.append("|")
        else:
            pieces.append(re.escape(character))
    if in_group:
        raise InvalidPattern(f"the pattern {pattern!r} has a group that is not closed")
    return re.compile("".join(pieces), re.DOTALL)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """A set of characters from after its `[`, and where the pattern goes on."""
    negated = pattern.startswith("!", at)
    end = pattern.find("]", at + negated)
    inner = pattern[at + negated : end]
    if end < 0 or not inner or "/" in inner:
        raise InvalidPattern(f"the pattern {pattern!r} has a bracket that is not closed, or is empty or has a slash")
    # In brackets only a hyphen between two characters means something.
    escaped = re.sub(r"[\\\[\]^&~|]", lambda found: "\\" + found[0], inner)
    try:
        re.compile(f"[{escaped}]")
    except re.error as error:
        raise InvalidPattern(f"the pattern {pattern!r} has a range that goes backwards") from error
    return f"(?!/)[{'^' if negated else ''}{escaped}]", end + 1
