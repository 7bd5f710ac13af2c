"""The order in which the resources of a template are made: each after everything it refers to or depends on."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.template import ResourceDeclaration, Template


def needs(template: Template, declared: ResourceDeclaration) -> tuple[str, ...]:
    """The logical ids of the resources that must be there before this one, in the order of the template."""
    wanted = set(declared.depends_on) | {reference.logical_id for reference in declared.mentions()}
    return tuple(name for name in template.resources if name in wanted)


def order(template: Template) -> list[str]:
    """All logical ids, dependencies first, else as written; raises `AwsError` (ValidationError) for a circle."""
    sorter = TopologicalSorter({name: needs(template, declared) for name, declared in template.resources.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = ", ".join(dict.fromkeys(reversed(error.args[1])))
        raise refused(f"Circular dependency between resources: [{circle}]") from error
    position = {name: index for index, name in enumerate(template.resources)}
    ready: list[str] = list(sorter.get_ready())
    ordered: list[str] = []
    while ready:
        ready.sort(key=position.__getitem__)
        name = ready.pop(0)
        ordered.append(name)
        sorter.done(name)
        ready += sorter.get_ready()
    return ordered
