"""A template as CloudFormation understands it: its sections, checked for form before anything is made.

Anatomy: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.cloudformation import rules, template_text
from local_aws.cloudformation.references import Reference, references
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.resource_type import find_type

_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Resources",
    "Outputs",
}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_LIMITS = {"Parameters": 200, "Mappings": 200, "Resources": 500, "Outputs": 200}
_NOT_CARRIED_OUT = {"Transform", "Hooks"}
_RESOURCE_ATTRIBUTES = {
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "CreationPolicy",
    "UpdatePolicy",
}
_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class ResourceDeclaration:
    """One entry of the Resources section, its functions still unresolved."""

    logical_id: str
    type_name: str
    properties: dict[str, Any]
    depends_on: tuple[str, ...]
    condition: str | None
    deletion_policy: str
    update_replace_policy: str
    metadata: Any
    # CreationPolicy and UpdatePolicy: understood by the service, carried out by no resource type here.
    recorded_attributes: tuple[str, ...]

    def mentions(self) -> Iterator[Reference]:
        """What its properties refer to."""
        yield from references(self.properties)


@dataclass(frozen=True)
class Template:
    """A template whose form is sound: every section an object, every reference to something that is declared."""

    text: str
    version: str | None
    description: str | None
    metadata: Any
    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    rules: Mapping[str, Any]
    resources: Mapping[str, ResourceDeclaration]
    outputs: Mapping[str, Mapping[str, Any]]

    def resource_types(self) -> list[str]:
        return sorted({resource.type_name for resource in self.resources.values()})


def load(text: str) -> Template:
    """Read a template body; raises `AwsError` (ValidationError) in AWS's words for the first rule it breaks."""
    body = template_text.parse(text)
    unknown = sorted(set(body) - _SECTIONS - _NOT_CARRIED_OUT)
    if unknown:
        raise refused(f"Invalid template property or properties [{', '.join(unknown)}]")
    for section in sorted(_NOT_CARRIED_OUT & set(body)):
        raise refused(f"Template format error: the section {section} is not carried out by local-aws.")
    sections = {
        name: _section(body, name) for name in ("Parameters", "Mappings", "Conditions", "Rules", "Resources", "Outputs")
    }
    for name, most in _LIMITS.items():
        if len(sections[name]) > most:
            found = len(sections[name])
            raise refused(
                f"Template format error: Number of {name.lower()}, {found}, is greater than maximum allowed, {most}"
            )
    if not sections["Resources"]:
        raise refused("Template format error: At least one Resources member must be defined.")
    version = body.get("AWSTemplateFormatVersion")
    if version not in (None, "2010-09-09"):
        raise refused("Template format error: unsupported value for AWSTemplateFormatVersion.")
    description = body.get("Description")
    if description is not None and not isinstance(description, str):
        raise refused("Template format error: Description must be a string.")
    template = Template(
        text=text,
        version=version,
        description=description,
        metadata=body.get("Metadata"),
        parameters=_objects(sections["Parameters"], "Parameters"),
        mappings=sections["Mappings"],
        conditions=sections["Conditions"],
        rules=sections["Rules"],
        resources={name: _resource(name, declared) for name, declared in sections["Resources"].items()},
        outputs=_objects(sections["Outputs"], "Outputs"),
    )
    rules.check_form(template.rules)
    _check_references(template)
    return template


def _section(body: dict[str, Any], name: str) -> dict[str, Any]:
    section = body.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise refused(f"Template format error: {name} must be an object.")
    return section


def _objects(section: dict[str, Any], name: str) -> dict[str, Any]:
    for key, value in section.items():
        if not isinstance(value, dict):
            raise refused(f"Template format error: Any {name} member must be an object. ({key})")
        if name == "Outputs" and value.get("Value") is None:
            raise refused(f"Template format error: [/Outputs/{key}] Every Outputs member must contain a Value object")
    return section


def _resource(logical_id: str, declared: Any) -> ResourceDeclaration:
    where = f"[/Resources/{logical_id}]"
    if not _LOGICAL_ID.fullmatch(logical_id):
        raise refused(f"Template format error: Resource name {logical_id} is non alphanumeric.")
    if not isinstance(declared, dict):
        raise refused(f"Template format error: {where} Every Resources member must be an object.")
    unknown = sorted(set(declared) - _RESOURCE_ATTRIBUTES)
    if unknown:
        raise refused(f"Invalid template resource property '{unknown[0]}'")
    type_name = declared.get("Type")
    if not isinstance(type_name, str):
        raise refused(f"Template format error: {where} Every Resources object must contain a Type member.")
    properties = declared.get("Properties") or {}
    if not isinstance(properties, dict):
        raise refused(f"Template format error: {where} Properties must be an object.")
    depends_on = declared.get("DependsOn", [])
    depends_on = [depends_on] if isinstance(depends_on, str) else depends_on
    if not isinstance(depends_on, list) or not all(isinstance(name, str) for name in depends_on):
        raise refused(f"Template format error: {where} DependsOn must be a string or a list of strings.")
    return ResourceDeclaration(
        logical_id=logical_id,
        type_name=type_name,
        properties=properties,
        depends_on=tuple(depends_on),
        condition=declared.get("Condition"),
        deletion_policy=_policy(declared, "DeletionPolicy", type_name),
        update_replace_policy=_policy(declared, "UpdateReplacePolicy", type_name),
        metadata=declared.get("Metadata"),
        recorded_attributes=tuple(name for name in ("CreationPolicy", "UpdatePolicy") if name in declared),
    )


def _policy(declared: dict[str, Any], name: str, type_name: str) -> str:
    kind = find_type(type_name)
    default = "Delete"
    if kind is not None and name == "DeletionPolicy":
        default = kind.default_deletion_policy(declared.get("Properties") or {})
    policy = declared.get(name, default)
    if policy == "Snapshot" and kind is not None and not kind.takes_snapshots:
        raise refused(f"Template error: resource type {type_name} does not support {name} Snapshot")
    if policy not in _POLICIES or (name == "UpdateReplacePolicy" and policy == "RetainExceptOnCreate"):
        raise refused(f"Template error: {name} {policy!r} of a resource is not one of {', '.join(_POLICIES)}")
    return policy


def _check_references(template: Template) -> None:
    known = set(template.parameters) | set(template.resources)
    for section, values in (
        ("Resources", {name: declared.properties for name, declared in template.resources.items()}),
        ("Outputs", template.outputs),
    ):
        missing: list[str] = []
        for reference in references(list(values.values())):
            if reference.function == "Fn::GetAtt" and reference.logical_id not in template.resources:
                raise refused(
                    f"Template error: instance of Fn::GetAtt references undefined resource {reference.logical_id}"
                )
            if reference.logical_id not in known:
                missing.append(reference.logical_id)
        if section == "Resources":
            for declared in template.resources.values():
                missing += [name for name in declared.depends_on if name not in template.resources]
        if missing:
            names = ", ".join(dict.fromkeys(missing))
            raise refused(
                f"Template format error: Unresolved resource dependencies [{names}] in the {section} block of the "
                "template"
            )
    for name, condition in _conditions_used(template):
        if condition not in template.conditions:
            raise refused(
                f"Template format error: Unresolved condition dependency {condition} in the {name} block of the "
                "template"
            )


def _conditions_used(template: Template) -> Iterator[tuple[str, str]]:
    for declared in template.resources.values():
        if declared.condition is not None:
            yield "Resources", declared.condition
    for output in template.outputs.values():
        if "Condition" in output:
            yield "Outputs", str(output["Condition"])
