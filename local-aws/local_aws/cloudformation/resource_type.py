"""What a type of resource is to CloudFormation: its properties, what replaces it, and how it is made and unmade.

A type is a small plug-in: a subclass of `ResourceType` in `resources/`, registered by `@resource_type`.
"""

from __future__ import annotations

import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from local_aws.cloud import Cloud
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.refusals import ResourceFailed

_SUFFIX = string.ascii_uppercase + string.digits
_SUFFIX_LENGTH = 12


@dataclass(frozen=True)
class Wanted:
    """One resource as its template wants it, and where it is wanted.

    `checkpoint` is called by whoever waits: it raises when the operation has been cancelled or its time is up.
    """

    cloud: Cloud
    stack_name: str
    logical_id: str
    properties: Mapping[str, Any]
    checkpoint: Callable[[], None]

    def client(self, service: str) -> Any:
        """A boto3 client of the cloud the stack lives in."""
        return self.cloud.client(service)

    def name(self, property_name: str, limit: int, lower: bool = False) -> str:
        """The name the template gives, or stack, logical id and twelve random characters, as CloudFormation does."""
        given = self.properties.get(property_name)
        if given:
            return str(given)
        return generated_name(self.stack_name, self.logical_id, _suffix(), limit, lower)

    def snapshot_name(self) -> str:
        """A new name for a snapshot of the resource: stack, `snapshot`, logical id and twelve random characters."""
        return generated_name(self.stack_name, f"snapshot-{self.logical_id}", _suffix(), 255, lower=True)


def _suffix() -> str:
    return "".join(secrets.choice(_SUFFIX) for _ in range(_SUFFIX_LENGTH))


def generated_name(stack_name: str, logical_id: str, suffix: str, limit: int, lower: bool = False) -> str:
    """`<stack>-<logical id>-<suffix>`, its first two parts cut to equal lengths where all would not fit."""
    room = limit - len(suffix) - 2
    half = room // 2
    stack_part = stack_name[: max(half, room - len(logical_id))]
    logical_part = logical_id[: room - len(stack_part)]
    name = f"{stack_part.rstrip('-')}-{logical_part}-{suffix}"
    return name.lower() if lower else name


class ResourceType(ABC):
    """A type of resource.

    `properties` are all it takes. Of those, `required` must be there, and a change of one in `replacing` makes a new
    resource; those in `recorded` (`Name`, or `Name.Member` for a part) are accepted, and kept where the service has a
    place for them, but nothing here acts on them. `name_property` holds the custom name, if the type has one.
    `attribute_names` are what Fn::GetAtt may ask for. `members` are all that an object within may have, by its path,
    where the type itself takes it apart; others are known to the service they are sent to. The physical id is the
    value of Ref. `takes_snapshots` is whether a deletion policy may be Snapshot.
    """

    type_name: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]] = frozenset()
    replacing: ClassVar[frozenset[str]] = frozenset()
    recorded: ClassVar[frozenset[str]] = frozenset()
    name_property: ClassVar[str | None] = None
    attribute_names: ClassVar[frozenset[str]] = frozenset()
    tags_are_a_map: ClassVar[bool] = False
    takes_snapshots: ClassVar[bool] = False
    members: ClassVar[Mapping[str, frozenset[str]]] = {}

    def problem(self, properties: Mapping[str, Any]) -> str | None:
        """Why these properties cannot be those of such a resource, or None."""
        unknown = sorted(set(properties) - self.properties)
        if unknown:
            return f"Encountered unsupported property {unknown[0]}"
        missing = sorted(self.required - set(properties))
        if missing:
            return f"Property {missing[0]} cannot be empty."
        return None

    def extraneous(self, properties: Mapping[str, Any]) -> str | None:
        """What objects within the properties, functions carried out, have that nobody knows, or None."""
        for path, known in sorted(self.members.items()):
            for value in _values_at(properties, path.split(".")):
                unknown = sorted(set(value) - known) if isinstance(value, Mapping) else []
                if unknown:
                    where = f"#/{path.replace('.', '/')}"
                    return f"Properties validation failed: {where}: extraneous key [{unknown[0]}] is not permitted"
        return None

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        """Why these properties, functions carried out, have not the form the type needs, or None."""
        return None

    def wrong(self, properties: Mapping[str, Any]) -> str | None:
        """Why properties, functions carried out, are not those of such a resource, or None."""
        return self.problem(properties) or self.extraneous(properties) or self.malformed(properties)

    def remarks(self, properties: Mapping[str, Any]) -> list[str]:
        """What the stack's events say of those properties that have no effect here: one sentence each."""
        told = [path for path in sorted(self.recorded) if _is_given(properties, path.split("."))]
        return [f"property {path} is recorded, not carried out, by local-aws" for path in told]

    @abstractmethod
    def create(self, wanted: Wanted) -> str:
        """Make it; answers its physical id, or raises `ResourceFailed` or botocore's ClientError."""

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        """Wait until it is in service after it was made or changed; raises `ResourceFailed` if it never will be."""
        return

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        """Change it in place from the properties `before`."""
        raise ResourceFailed(f"Update to resource type {self.type_name} is not supported.")

    @abstractmethod
    def delete(self, wanted: Wanted, physical_id: str) -> None:
        """Unmake it; one that is gone already is no error."""

    def default_deletion_policy(self, properties: Mapping[str, Any]) -> str:
        """What becomes of it with its stack where its template, of these unresolved properties, does not say."""
        return "Delete"

    def delete_with_snapshot(self, wanted: Wanted, physical_id: str, snapshot: str) -> None:
        """Unmake it, and keep what it held under the name `snapshot`; one that is gone already is no error."""
        raise ResourceFailed(f"Resource type {self.type_name} takes no snapshots.")

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        """The values of its attributes."""
        return {}


def _values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What is at a path: several values where lists are on the way, none where the path leads nowhere."""
    if isinstance(value, list):
        for item in value:
            yield from _values_at(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values_at(value[path[0]], path[1:])


def _is_given(properties: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Whether something is asked for at the path."""
    return any(value not in (None, "") and canonical(value) != "false" for value in _values_at(properties, path))


_TYPES: dict[str, ResourceType] = {}


def resource_type(kind: type[ResourceType]) -> type[ResourceType]:
    """Register a type by its name."""
    _TYPES[kind.type_name] = kind()
    return kind


def find_type(name: str) -> ResourceType | None:
    """The type of this name, or None where this cloud has none."""
    return _TYPES.get(name)


def known_types() -> list[str]:
    return sorted(_TYPES)
