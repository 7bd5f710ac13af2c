"""The Conditions section: which conditions hold for the parameters that were given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation import intrinsics
from local_aws.cloudformation.intrinsics import Scope
from local_aws.cloudformation.refusals import refused


def evaluate(declared: Mapping[str, Any], scope: Scope) -> dict[str, bool]:
    """The truth of every condition of a template; they may refer to one another, but not in a circle."""
    known: dict[str, bool] = {}

    def holds(name: str, path: tuple[str, ...]) -> bool:
        if name in path:
            raise refused(f"Circular dependency between conditions: [{', '.join(path)}]")
        if name not in declared:
            raise refused(f"Template format error: Unresolved condition dependency {name} in the Conditions block")
        if name not in known:
            known[name] = intrinsics.truth(intrinsics.resolve(with_others(declared[name], (*path, name)), scope))
        return known[name]

    def with_others(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [with_others(item, path) for item in value]
        if isinstance(value, dict):
            if len(value) == 1 and isinstance(value.get("Condition"), str):
                return holds(value["Condition"], path)
            return {key: with_others(item, path) for key, item in value.items()}
        return value

    return {name: holds(name, ()) for name in declared}
