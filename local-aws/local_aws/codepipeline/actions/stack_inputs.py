"""What a deployment takes from its input artifacts: the template, and parameters and tags for it.

    TemplatePath           Artifact::file
    TemplateConfiguration  Artifact::file, JSON of Parameters, Tags and StackPolicy
    ParameterOverrides     JSON of parameters, with Fn::GetArtifactAtt and Fn::GetParam, which win
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.codepipeline import artifacts
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionRun, Artifact

_MEMBERS = ("Parameters", "Tags", "StackPolicy")


@dataclass(frozen=True)
class StackInputs:
    """A template as text, and what it is deployed with."""

    template: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, Any] | None = None


def stack_inputs(run: ActionRun) -> StackInputs:
    """Read all of it; raises `ActionFailed` (ConfigurationError) naming the file or the parameter at fault."""
    template = _file(run, "TemplatePath", run.configuration["TemplatePath"])
    configuration: dict[str, Any] = {}
    if place := run.configuration.get("TemplateConfiguration"):
        configuration = _object(_file(run, "TemplateConfiguration", place), f"TemplateConfiguration {place}")
        unknown = sorted(configuration.keys() - set(_MEMBERS))
        if unknown:
            raise _invalid(f"TemplateConfiguration {place} has '{unknown[0]}'; it may have {', '.join(_MEMBERS)}")
    overrides = _object(run.configuration.get("ParameterOverrides") or "{}", "ParameterOverrides")
    parameters = {
        **{key: _text(key, value) for key, value in configuration.get("Parameters", {}).items()},
        **{key: _text(key, _evaluated(run, key, value)) for key, value in overrides.items()},
    }
    tags = {key: _text(key, value) for key, value in configuration.get("Tags", {}).items()}
    return StackInputs(template, parameters, tags, configuration.get("StackPolicy"))


def _evaluated(run: ActionRun, key: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    match value:
        case {"Fn::GetArtifactAtt": [str(name), str(attribute)]} if len(value) == 1:
            return _attribute(_artifact(run, key, name), key, attribute)
        case {"Fn::GetParam": [str(name), str(file), str(member)]} if len(value) == 1:
            content = _object(artifacts.read_file(run.cloud, _artifact(run, key, name), file), f"{name}::{file}")
            if member not in content:
                raise _invalid(f"ParameterOverrides: '{key}' takes '{member}' of {name}::{file}, which has no such key")
            return content[member]
    raise _invalid(
        f"ParameterOverrides: '{key}' must be text, Fn::GetArtifactAtt: [artifact, attribute] or Fn::GetParam: "
        "[artifact, file, key]"
    )


def _attribute(artifact: Artifact, key: str, attribute: str) -> str:
    attributes = {
        "BucketName": artifact.bucket,
        "ObjectKey": artifact.key,
        "URL": f"https://s3.amazonaws.com/{artifact.bucket}/{artifact.key}",
    }
    if attribute not in attributes:
        raise _invalid(
            f"ParameterOverrides: '{key}' takes the attribute '{attribute}' of an artifact; there are "
            f"{', '.join(attributes)}"
        )
    return attributes[attribute]


def _file(run: ActionRun, key: str, place: str) -> str:
    name, separator, path = place.partition("::")
    if not separator or not path:
        raise _invalid(f"{key} is '{place}', it must be <artifact>::<file>")
    return artifacts.read_file(run.cloud, _artifact(run, key, name), path)


def _artifact(run: ActionRun, key: str, name: str) -> Artifact:
    if name not in run.inputs:
        raise _invalid(f"{key} names the artifact '{name}', the action's inputs are: {', '.join(run.inputs) or 'none'}")
    return run.inputs[name]


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _invalid(f"{what} is no JSON: {error}") from error
    if not isinstance(value, dict) or not all(
        isinstance(value.get(member, {}), dict) for member in _MEMBERS if what.startswith("TemplateConfiguration")
    ):
        raise _invalid(f"{what} is no JSON object of the form that is expected")
    return value


def _text(key: str, value: Any) -> str:
    """Numbers and truth values are taken as CloudFormation writes them, lists joined by commas."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list() if all(isinstance(item, str) for item in value):
            return ",".join(value)
    raise _invalid(f"The value of '{key}' must be text, not {json.dumps(value)}")


def _invalid(message: str) -> ActionFailed:
    return ActionFailed(message, "ConfigurationError")
