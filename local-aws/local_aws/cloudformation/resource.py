"""A resource as its stack remembers it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Resource:
    """One resource of a stack: what it is called here and there, its state, and the properties it last got.

    `needs` are the logical ids it was made after, so that it goes before them.
    """

    logical_id: str
    type_name: str
    status: str
    changed: datetime
    physical_id: str | None = None
    reason: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    metadata: Any = None
    # Whether the operation under way made it: RetainExceptOnCreate gives it no protection then.
    fresh: bool = False

    def row(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @staticmethod
    def of(row: dict[str, Any]) -> Resource:
        return Resource(**{**row, "needs": tuple(row["needs"])})

    @property
    def identity(self) -> tuple[str, str | None]:
        """What makes it the same thing in the world, whatever a template calls it."""
        return (self.type_name, self.physical_id)
