"""Types that are descriptions here: their services keep and answer them, but nothing of the kind runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from local_aws.cloudformation.resource_type import ResourceType


class DescribedOnly(ResourceType):
    """A type of which a stack gets a record; the stack's events say so, in the words of `instead`.

    Properties in `recorded` are not even part of that record.
    """

    instead: ClassVar[str]

    def remarks(self, properties: Mapping[str, Any]) -> list[str]:
        return [f"local-aws keeps the description of this resource: {self.instead}", *super().remarks(properties)]
