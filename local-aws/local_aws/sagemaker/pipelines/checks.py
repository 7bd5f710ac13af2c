"""Whether a definition hangs together: every reference leads somewhere, and no step waits for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from local_aws.errors import validation_error
from local_aws.sagemaker.pipelines.argument_shapes import check_arguments, check_property
from local_aws.sagemaker.pipelines.conditions import malformed
from local_aws.sagemaker.pipelines.definition import Dependency, PipelineDefinition, Step, unparsable
from local_aws.sagemaker.pipelines.references import MalformedExpression, Reference, references

EXECUTION_VARIABLES = (
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "StartDateTime",
    "CurrentDateTime",
    "TrainingJobName",
    "ProcessingJobName",
)


def check(definition: PipelineDefinition) -> None:
    """Raise `AwsError` (ValidationException) for the first thing in a definition that could not be carried out."""
    for step in definition.steps.values():
        for dependency in step.depends_on:
            _check_dependency(step, dependency.step, definition)
        if step.type.name == "Condition":
            for condition in step.arguments["Conditions"]:
                for fault in malformed(condition):
                    raise unparsable(f"Step '{step.name}': {fault}")
        for reference in _references(step.arguments, f"Step '{step.name}'"):
            _check_reference(step, reference, definition)
        check_arguments(step, definition)
        _check_property_files(step)
    for reference in _references(definition.experiment, "PipelineExperimentConfig"):
        if reference.root == "Steps":
            raise unparsable(f"PipelineExperimentConfig cannot refer to a step: [{reference.text}].")
        _check_value(reference, "PipelineExperimentConfig", definition)
    graph = {name: {item.step for item in dependencies(step)} for name, step in definition.steps.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise validation_error(f"Pipeline definition has a cyclic dependency: {' -> '.join(error.args[1])}.") from error


def dependencies(step: Step) -> Iterator[Dependency]:
    """What a step waits for: what it names, what its arguments refer to, and the condition it stands in."""
    named = {dependency.step for dependency in step.depends_on}
    yield from step.depends_on
    for name in sorted(
        {reference.name for reference in references(dict(step.arguments)) if reference.root == "Steps"} - named
    ):
        yield Dependency(name)
    if step.branch is not None and step.branch.condition not in named:
        yield Dependency(step.branch.condition)


def _check_dependency(step: Step, name: str, definition: PipelineDefinition) -> None:
    upstream = definition.steps.get(name)
    if upstream is None:
        raise validation_error(
            f"Step '{step.name}' depends on step '{name}', which the pipeline definition does not have."
        )
    if upstream.type.name == "Fail":
        raise validation_error(f"{step.name} can not depends on {name}: a Fail step ends the execution.")


def _references(value: Mapping[str, Any], where: str) -> list[Reference]:
    try:
        return list(references(dict(value)))
    except MalformedExpression as error:
        raise unparsable(f"{where}: {error}.") from error


def _check_value(reference: Reference, where: str, definition: PipelineDefinition) -> None:
    """Refuse a parameter or an execution variable that there is none of."""
    if reference.root == "Parameters" and reference.name not in definition.parameters:
        raise validation_error(
            f"{where} refers to [{reference.text}], but the pipeline definition has no parameter '{reference.name}'."
        )
    if reference.root == "Execution" and reference.name not in EXECUTION_VARIABLES:
        raise validation_error(
            f"{where} refers to [{reference.text}]; execution variables are {', '.join(EXECUTION_VARIABLES)}."
        )


def _check_reference(step: Step, reference: Reference, definition: PipelineDefinition) -> None:
    if reference.root != "Steps":
        _check_value(reference, f"Step '{step.name}'", definition)
    else:
        _check_dependency(step, reference.name, definition)
        upstream = definition.steps[reference.name]
        if reference.path[:1] == ("PropertyFiles",):
            files = [file.name for file in upstream.property_files]
            if reference.path[1:] not in [(name,) for name in files]:
                known = ", ".join(files) or "none"
                raise validation_error(
                    f"Step '{step.name}' refers to [{reference.text}]; "
                    f"the property files of step '{upstream.name}' are: {known}."
                )
        else:
            check_property(reference.text, upstream, reference.path)


def _check_property_files(step: Step) -> None:
    outputs = (step.arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    names = [output.get("OutputName") for output in outputs if isinstance(output, dict)]
    for file in step.property_files:
        if file.output not in names:
            raise validation_error(
                f"Property file '{file.name}' of step '{step.name}' is in the output '{file.output}', "
                "which the step does not have."
            )
