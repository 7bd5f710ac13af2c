"""A template together with the values it was given: everything known about a stack before a resource is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.cloudformation import conditions, graph, intrinsics
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.intrinsics import Scope
from local_aws.cloudformation.references import references
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.resource_type import ResourceType, find_type
from local_aws.cloudformation.template import ResourceDeclaration, Template

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lookup:
    """Where resolved references come from: the Ref value of a resource, and its attributes."""

    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]


@dataclass(frozen=True)
class Blueprint:
    """What a stack shall be; `order` holds the logical ids whose conditions are true, dependencies first."""

    template: Template
    scope: Scope
    order: tuple[str, ...]
    tags: Tags

    def declared(self, logical_id: str) -> ResourceDeclaration:
        return self.template.resources[logical_id]

    def needs(self, logical_id: str) -> tuple[str, ...]:
        """What of this stack must be there before the resource."""
        return tuple(name for name in graph.needs(self.template, self.declared(logical_id)) if name in self.order)

    def properties(self, logical_id: str, lookup: Lookup) -> dict[str, Any]:
        """The resource's properties, functions carried out and the stack's tags added where the type takes tags."""
        declared = self.declared(logical_id)
        properties = intrinsics.resolve(declared.properties, self._scope(lookup))
        kind = find_type(declared.type_name)
        return _tagged(kind, properties, self.tags) if kind is not None else properties

    def outputs(self, lookup: Lookup) -> list[dict[str, Any]]:
        """The outputs whose condition is true, as DescribeStacks shows them."""
        scope = self._scope(lookup)
        rows = []
        for name, declared in self.template.outputs.items():
            if "Condition" in declared and not scope.conditions[declared["Condition"]]:
                continue
            value = canonical(intrinsics.resolve(declared["Value"], scope))
            if not isinstance(value, str):
                raise refused(f"Template format error: Output {name} is malformed: its value must be a string")
            row = {"OutputKey": name, "OutputValue": value}
            if "Description" in declared:
                row["Description"] = declared["Description"]
            if "Export" in declared:
                row["ExportName"] = intrinsics.resolve(declared["Export"], scope)["Name"]
            rows.append(row)
        return rows

    def _scope(self, lookup: Lookup) -> Scope:
        def reference(logical_id: str) -> Any:
            self._present(logical_id)
            return lookup.reference(logical_id)

        def attribute(logical_id: str, name: str) -> Any:
            self._present(logical_id)
            return lookup.attribute(logical_id, name)

        return Scope(
            self.scope.region,
            self.scope.values,
            self.scope.mappings,
            self.scope.conditions,
            reference,
            attribute,
            self.scope.imported,
        )

    def _present(self, logical_id: str) -> None:
        if logical_id not in self.order:
            raise refused(
                f"Template format error: Unresolved resource dependencies [{logical_id}] in the Resources block of the "
                "template"
            )


def draw(
    template: Template,
    values: Mapping[str, Any],
    pseudo: Mapping[str, Any],
    tags: Tags,
    imported: Callable[[str], str],
) -> Blueprint:
    """Bring a template and its values together.

    `values` are the parameters', `pseudo` the pseudo parameters', `imported` answers the value of an export. Raises
    `AwsError` (ValidationError) for circles, attributes that a type has not, and functions that cannot be carried out.
    """
    ordered = graph.order(template)
    _check_attributes(template)

    def unknown(logical_id: str, *_: str) -> Any:
        raise refused(f"Template error: a condition cannot refer to the resource {logical_id}")

    scope = Scope(str(pseudo["AWS::Region"]), {**values, **pseudo}, template.mappings, {}, unknown, unknown, imported)
    truth = conditions.evaluate(template.conditions, scope)
    scope = Scope(scope.region, scope.values, scope.mappings, truth, unknown, unknown, imported)

    def wanted(name: str) -> bool:
        condition = template.resources[name].condition
        return condition is None or truth[condition]

    return Blueprint(template, scope, tuple(name for name in ordered if wanted(name)), tags)


def _check_attributes(template: Template) -> None:
    mentions = [mention for declared in template.resources.values() for mention in declared.mentions()]
    for mention in [*mentions, *references(list(template.outputs.values()))]:
        if mention.attribute is None or mention.logical_id not in template.resources:
            continue
        kind = find_type(template.resources[mention.logical_id].type_name)
        if kind is not None and mention.attribute and mention.attribute not in kind.attribute_names:
            raise refused(
                f"Template error: resource {mention.logical_id} does not support attribute type {mention.attribute} in "
                f"{mention.function}"
            )


def _tagged(kind: ResourceType, properties: dict[str, Any], tags: Tags) -> dict[str, Any]:
    if not tags or "Tags" not in kind.properties:
        return properties
    own: Any = properties.get("Tags")
    if kind.tags_are_a_map:
        return {**properties, "Tags": {**dict(tags), **(own or {})}}
    own = own or []
    named = {tag.get("Key") for tag in own}
    return {**properties, "Tags": [*own, *({"Key": key, "Value": value} for key, value in tags if key not in named)]}
