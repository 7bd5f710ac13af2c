"""A pipeline definition (schema 2020-12-01) as values: its parameters, and its steps in one flat list.

Read from the JSON that CreatePipeline is given, and refused with AWS's "Unable to parse pipeline definition" when it
does not have the schema's form: https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from local_aws.errors import AwsError, validation_error
from local_aws.sagemaker.pipelines.caching import duration
from local_aws.sagemaker.pipelines.parameters import Parameter, read_parameter
from local_aws.sagemaker.pipelines.retrying import RetryPolicy, read_retry_policy
from local_aws.sagemaker.pipelines.step_types import STEP_TYPES, StepType

VERSION = "2020-12-01"
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_TOP = {"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"}
_STEP = {"Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description"}
_TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
_MOST_STEPS = 50


@dataclass(frozen=True)
class Dependency:
    """A step that must have ended before another starts, and the outcome it must have had (`trigger`)."""

    step: str
    trigger: str = "Completed"


@dataclass(frozen=True)
class Branch:
    """The place of a step inside a Condition step: it runs when that condition's outcome is `outcome`."""

    condition: str
    outcome: bool


@dataclass(frozen=True)
class Caching:
    """Whether an earlier result may be used, and how old it may be; None knows no age."""

    enabled: bool
    expire_after: timedelta | None = None


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file that a processing job writes to one of its outputs, readable by `Std:JsonGet`."""

    name: str
    output: str
    path: str


@dataclass(frozen=True)
class Step:
    """One step. The arguments of a Condition step are its conditions alone: the steps inside it stand beside it."""

    name: str
    type: StepType
    arguments: Mapping[str, Any]
    depends_on: tuple[Dependency, ...] = ()
    branch: Branch | None = None
    display_name: str | None = None
    description: str | None = None
    caching: Caching = Caching(enabled=False)
    retry_policies: tuple[RetryPolicy, ...] = ()
    property_files: tuple[PropertyFile, ...] = ()


@dataclass(frozen=True)
class PipelineDefinition:
    """A definition that has the schema's form; `checks` says whether it also hangs together."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    experiment: Mapping[str, Any] = field(default_factory=dict)


def unparsable(reason: str) -> AwsError:
    """The refusal of a definition that does not have the form of the schema."""
    return validation_error(f"Unable to parse pipeline definition. {reason}")


def read_definition(text: str) -> PipelineDefinition:
    """The definition in a JSON text; raises `AwsError` (ValidationException) for one that breaks the schema."""
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise unparsable(f"It is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise unparsable("Expecting start of Json Object.")
    _known_members(body, _TOP, "the definition")
    if body.get("Version") != VERSION:
        raise unparsable(f"Invalid version {body.get('Version')!r}: the schema version is '{VERSION}'.")
    parameters: dict[str, Parameter] = {}
    for item in _objects(body, "Parameters"):
        parameter = read_parameter(item)
        if parameter.name in parameters:
            raise unparsable(f"Duplicate parameter name '{parameter.name}'.")
        parameters[parameter.name] = parameter
    if "Steps" not in body:
        raise unparsable("Missing required member 'Steps'.")
    steps: dict[str, Step] = {}
    for step in _steps(_objects(body, "Steps"), None):
        if step.name in steps:
            raise validation_error(f"Pipeline definition has duplicate step names: '{step.name}'.")
        steps[step.name] = step
    if not 1 <= len(steps) <= _MOST_STEPS:
        raise validation_error(f"A pipeline has 1 to {_MOST_STEPS} steps; this definition has {len(steps)}.")
    experiment = body.get("PipelineExperimentConfig") or {}
    if not isinstance(experiment, dict):
        raise unparsable("Expecting start of Json Object for 'PipelineExperimentConfig'.")
    return PipelineDefinition(parameters, steps, experiment)


def _steps(items: list[dict[str, Any]], branch: Branch | None) -> Iterator[Step]:
    """The steps of a list, each Condition step followed by those inside it."""
    for item in items:
        step = _step(item, branch)
        yield step
        if step.type.name == "Condition":
            yield from _steps(_objects(item["Arguments"], "IfSteps"), Branch(step.name, outcome=True))
            yield from _steps(_objects(item["Arguments"], "ElseSteps"), Branch(step.name, outcome=False))


def _step(item: dict[str, Any], branch: Branch | None) -> Step:
    name = item.get("Name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise unparsable(f"Invalid step name {name!r}: it must match [A-Za-z0-9\\-_]{{1,64}}.")
    type_name = item.get("Type")
    step_type = STEP_TYPES.get(type_name) if isinstance(type_name, str) else None
    if step_type is None:
        known = ", ".join(STEP_TYPES)
        raise validation_error(f"Step '{name}' is of type {type_name!r}, which is not supported: use one of {known}.")
    _known_members(item, _STEP | step_type.members, f"step '{name}'")
    arguments = item.get("Arguments")
    if arguments is None:
        raise unparsable(f"Missing required member 'Arguments' of step '{name}'.")
    if not isinstance(arguments, dict):
        raise unparsable(f"Expecting start of Json Object for 'Arguments' of step '{name}'.")
    if step_type.name == "Condition":
        _known_members(arguments, {"Conditions", "IfSteps", "ElseSteps"}, f"the arguments of step '{name}'")
        arguments = {"Conditions": _objects(arguments, "Conditions")}
    elif step_type.name == "Fail":
        _known_members(arguments, {"ErrorMessage"}, f"the arguments of step '{name}'")
    return Step(
        name=name,
        type=step_type,
        arguments=arguments,
        depends_on=tuple(_dependency(entry, name) for entry in _list(item, "DependsOn")),
        branch=branch,
        display_name=_text(item, "DisplayName"),
        description=_text(item, "Description"),
        caching=_caching(item.get("CacheConfig"), name),
        retry_policies=tuple(read_retry_policy(policy, name) for policy in _objects(item, "RetryPolicies")),
        property_files=tuple(_property_file(entry, name) for entry in _objects(item, "PropertyFiles")),
    )


def _dependency(entry: Any, step: str) -> Dependency:
    if isinstance(entry, str):
        return Dependency(entry)
    if isinstance(entry, dict) and entry.keys() == {"Step", "Trigger"}:
        name, trigger = entry["Step"], entry["Trigger"]
        if isinstance(name, str) and trigger in _TRIGGERS:
            return Dependency(name, trigger)
    raise unparsable(f"Invalid entry {entry!r} in 'DependsOn' of step '{step}'.")


def _caching(config: Any, step: str) -> Caching:
    if config is None:
        return Caching(enabled=False)
    if not isinstance(config, dict) or not isinstance(config.get("Enabled", False), bool):
        raise unparsable(f"Invalid 'CacheConfig' of step '{step}'.")
    _known_members(config, {"Enabled", "ExpireAfter"}, f"'CacheConfig' of step '{step}'")
    try:
        age = duration(config["ExpireAfter"]) if config.get("ExpireAfter") is not None else None
    except ValueError as error:
        raise unparsable(f"Invalid 'ExpireAfter' of step '{step}': {error}.") from error
    return Caching(config.get("Enabled", False), age)


def _property_file(entry: dict[str, Any], step: str) -> PropertyFile:
    names = ("PropertyFileName", "OutputName", "FilePath")
    _known_members(entry, set(names), f"a property file of step '{step}'")
    for member in names:
        if not isinstance(entry.get(member), str):
            raise unparsable(f"A property file of step '{step}' needs the string member '{member}'.")
    return PropertyFile(*(entry[member] for member in names))


def _text(body: dict[str, Any], member: str) -> str | None:
    value = body.get(member)
    if value is not None and not isinstance(value, str):
        raise unparsable(f"Expecting a text for '{member}', not {value!r}.")
    return value


def _list(body: dict[str, Any], member: str) -> list[Any]:
    value = body.get(member)
    if value is not None and not isinstance(value, list):
        raise unparsable(f"Expecting start of Json Array for '{member}'.")
    return value or []


def _objects(body: dict[str, Any], member: str) -> list[dict[str, Any]]:
    values = _list(body, member)
    for value in values:
        if not isinstance(value, dict):
            raise unparsable(f"Expecting start of Json Object in '{member}'.")
    return values


def _known_members(body: dict[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    for member in body:
        if member not in known:
            raise unparsable(f"Unknown member '{member}' in {where}.")
