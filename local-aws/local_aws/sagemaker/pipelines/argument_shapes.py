"""Arguments of a step against the API call they are for: known members, required ones, and the types of references.

The call is described by botocore's model of SageMaker. What cannot be known before the execution (the length of a
joined text, a pattern) is checked when the step makes its call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import Shape

from local_aws.contract import Contract
from local_aws.errors import AwsError, validation_error
from local_aws.sagemaker.pipelines.definition import PipelineDefinition, Step, unparsable
from local_aws.sagemaker.pipelines.references import GET, JOIN, Path, is_expression, parse_reference

_KINDS = {
    "string": "String",
    "timestamp": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
}
_PYTHON = {"String": str, "Integer": int, "Float": int | float, "Boolean": bool}


def check_arguments(step: Step, definition: PipelineDefinition) -> None:
    """Raise `AwsError` (ValidationException) for the first argument that the step's API call would not take."""
    if not step.type.create:
        return
    shape = Contract.of("sagemaker").operation(step.type.create).input_shape
    for error in _faults(step.arguments, shape, "Arguments", definition, frozenset({step.type.named_by})):
        raise error


def check_property(reference_text: str, step: Step, path: Path) -> str | None:
    """The type of a property of a step (None for a structure); raises `AwsError` when the step has no such property."""
    if step.type.name == "Condition" and path == ("Outcome",):
        return "String"
    for output in step.type.outputs:
        shape: Shape | None = Contract.of("sagemaker").operation(output).output_shape
        for item in path:
            shape = _child(shape, item)
        if shape is not None and path:
            return _KINDS.get(shape.type_name)
    raise validation_error(
        f"Unknown property reference [{reference_text}]: a {step.type.name} step has no such property."
    )


def _child(shape: Shape | None, item: str | int) -> Shape | None:
    if shape is None:
        return None
    if shape.type_name == "structure":
        return shape.members.get(item)
    if shape.type_name == "list":
        return shape.member
    if shape.type_name == "map" and isinstance(item, str):
        return shape.value
    return None


def _faults(
    value: Any, shape: Shape, where: str, definition: PipelineDefinition, generated: frozenset[str] = frozenset()
) -> Iterator[AwsError]:
    if value is None:
        return
    if is_expression(value):
        yield from _mistyped(value, shape, where, definition)
    elif shape.type_name == "structure":
        if not isinstance(value, Mapping):
            yield unparsable(f"Expecting start of Json Object at '{where}'.")
            return
        for name, item in value.items():
            if name not in shape.members:
                yield unparsable(f"Unknown Argument member '{name}' at '{where}'.")
            else:
                yield from _faults(item, shape.members[name], f"{where}.{name}", definition)
        for name in shape.required_members:
            if value.get(name) is None and name not in generated:
                yield unparsable(f"Missing required member '{name}' at '{where}'.")
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield unparsable(f"Expecting start of Json Array at '{where}'.")
            return
        for index, item in enumerate(value):
            yield from _faults(item, shape.member, f"{where}[{index}]", definition)
    elif shape.type_name == "map":
        if not isinstance(value, Mapping):
            yield unparsable(f"Expecting start of Json Object at '{where}'.")
            return
        for name, item in value.items():
            yield from _faults(item, shape.value, f"{where}.{name}", definition)
    else:
        kind = _KINDS.get(shape.type_name)
        if kind and (not isinstance(value, _PYTHON[kind]) or isinstance(value, bool) != (kind == "Boolean")):
            yield unparsable(f"Expecting a value of type {kind} at '{where}', not {value!r}.")


def _mistyped(value: Mapping[str, Any], shape: Shape, where: str, definition: PipelineDefinition) -> Iterator[AwsError]:
    kind = _KINDS.get(shape.type_name)
    if JOIN in value and kind != "String":
        yield validation_error(
            f"Cannot assign the text of a {JOIN} to the argument '{where}' of type [{kind or shape.type_name}]."
        )
    if GET not in value:
        return
    reference = parse_reference(value[GET])
    found: str | None = "String"
    if reference.root == "Parameters":
        found = definition.parameters[reference.name].type
    elif reference.root == "Steps":
        found = check_property(reference.text, definition.steps[reference.name], reference.path)
    if found != kind and not (found == "Integer" and kind == "Float"):
        yield validation_error(
            f"Cannot assign property reference [{reference.text}] to the argument '{where}' "
            f"of type [{kind or shape.type_name}]."
        )
