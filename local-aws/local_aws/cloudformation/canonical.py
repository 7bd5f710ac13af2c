"""Values as CloudFormation compares them: a template may write the same number or truth in several ways."""

from __future__ import annotations

from typing import Any


def canonical(value: Any) -> Any:
    """A value as CloudFormation compares it: `1`, `1.0` and `"1"` are the same, and so are `true` and `"true"`."""
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value
