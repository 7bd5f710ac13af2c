"""Variables in the configuration of actions: `#{namespace.key}`, replaced when the action starts.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# The namespaces that every pipeline has: the execution itself, and the variables declared on the pipeline.
EXECUTION, PIPELINE = "codepipeline", "variables"
_REFERENCE = re.compile(r"#\{([^{}]*)\}")
_WELL_FORMED = re.compile(r"([A-Za-z0-9@_-]{1,100})\.([A-Za-z0-9@_-]{1,128})")


class Unresolved(Exception):
    """A reference to a variable that has no value in this execution."""


def references(text: str) -> Iterator[tuple[str, str]]:
    """Namespace and key of each variable in a text; raises `ValueError` for what looks like one and is none."""
    for found in _REFERENCE.finditer(text):
        parts = _WELL_FORMED.fullmatch(found.group(1))
        if parts is None:
            raise ValueError(found.group(0))
        yield parts.group(1), parts.group(2)


def resolve(configuration: Mapping[str, str], values: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A configuration with its variables replaced by `values` (namespace → key → value); raises `Unresolved`."""

    def value(found: re.Match[str]) -> str:
        namespace, _, key = found.group(1).partition(".")
        if namespace not in values:
            raise Unresolved(
                f"The variable {found.group(0)} cannot be resolved: no action that has run offers the namespace "
                f"'{namespace}'."
            )
        if key not in values[namespace]:
            offered = ", ".join(sorted(values[namespace])) or "nothing"
            raise Unresolved(
                f"The variable {found.group(0)} cannot be resolved: the namespace '{namespace}' offers {offered}."
            )
        return values[namespace][key]

    return {name: _REFERENCE.sub(value, text) for name, text in configuration.items()}
