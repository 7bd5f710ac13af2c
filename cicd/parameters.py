"""The parameters file: the few values that make the template a team's own, checked before AWS is asked anything.
Its keys are the template's parameters in small letters; a value is held to what the template says of it."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cicd.errors import CicdError
from cicd.template import STUDIO, Parameter, Template

STACK = "stack"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}")

# What the file comes with, to be replaced.
_EXAMPLE = {"repository": "your-team/your-models", "mlflow_tracking_uri": "https://mlflow.example.com"}


@dataclass(frozen=True)
class Parameters:
    """What is deployed: the stack's name, the project's, and every parameter of the template."""

    stack_name: str
    values: Mapping[str, str]

    @property
    def project(self) -> str:
        """The project's name, with which pipelines and builds begin."""
        return self.values["ProjectName"]


def read_parameters(path: Path, template: Template) -> Parameters:
    """Read a parameters file.

    Raises:
        CicdError: there is none, it is not YAML, or keys in it are unknown, missing or malformed; all are named.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CicdError(
            f"The parameters file {path} cannot be read: {error.strerror}. Copy cicd/parameters.yaml and fill it in."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CicdError(f"The parameters file {path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise CicdError(f"The parameters file {path} holds no keys: write lines such as 'repository: team/models'.")
    return check(content, template, str(path))


def check(given: Mapping[Any, Any], template: Template, source: str) -> Parameters:
    """Hold values to the template's rules; see `read_parameters`."""
    known = {each.key: each for name, each in template.parameters.items() if name not in STUDIO}
    faults = [_unknown(str(key), known) for key in given if key != STACK and key not in known]
    values = {}
    for key, parameter in known.items():
        try:
            values[parameter.name] = _value(parameter, given.get(key))
        except ValueError as error:
            faults.append(f"{key} {error}")
    stack_name = str(given.get(STACK) or f"{values.get('ProjectName', '')}-cicd")
    if not _STACK_NAME.fullmatch(stack_name):
        faults.append(f"{STACK} is {stack_name!r}: a letter first, then letters, digits and hyphens")
    if not faults:
        faults = _contradictions(values)
    if faults:
        raise CicdError(f"{source} does not hold: {'; '.join(faults)}.")
    return Parameters(stack_name, values)


def _unknown(key: str, known: Mapping[str, Parameter]) -> str:
    near = difflib.get_close_matches(key, [*known, STACK], 1)
    return f"{key} is no parameter" + (f", perhaps {near[0]} is meant" if near else f"; there are {', '.join(known)}")


def _value(parameter: Parameter, given: Any) -> str:
    """One value as CloudFormation takes it. Raises ValueError with the rest of a sentence that begins with its key."""
    if given is None:
        if parameter.default is None:
            raise ValueError(f"is missing: {parameter.description.rstrip('.')}")
        return parameter.default
    if isinstance(given, list) and parameter.is_list:
        given = ",".join(str(item) for item in given)
    if isinstance(given, list | dict):
        raise ValueError("is not a single value")
    value = str(given).lower() if isinstance(given, bool) else str(given).strip()
    if parameter.allowed and value not in parameter.allowed:
        raise ValueError(f"is {value!r}: give one of {', '.join(parameter.allowed)}")
    if parameter.pattern and not re.fullmatch(parameter.pattern, value):
        raise ValueError(f"is {value!r}: give {parameter.constraint or parameter.description.rstrip('.')}")
    lowest, highest = parameter.lengths
    if not (lowest or 0) <= len(value) <= (highest or len(value)):
        raise ValueError(f"has {len(value)} characters: give {parameter.constraint or f'{lowest} to {highest}'}")
    if parameter.is_number:
        _check_number(value, *parameter.bounds)
    return value


def _check_number(value: str, lowest: float | None, highest: float | None) -> None:
    if not value.isdigit() or not (lowest or 0) <= int(value) <= (highest or int(value)):
        raise ValueError(f"is {value!r}: give a number" + (f" from {lowest} to {highest}" if highest else ""))


def _contradictions(values: Mapping[str, str]) -> list[str]:
    """What each value may be, but not together."""
    faults = [f"{key} is still the example's" for key, value in _EXAMPLE.items() if value in values.values()]
    if values["Provider"] == "CodeCommit":
        if values["ConnectionArn"]:
            faults.append("connection_arn is of no use with CodeCommit: leave it out")
        if "/" in values["Repository"]:
            faults.append(f"repository is {values['Repository']!r}: a repository of CodeCommit has no owner")
    else:
        if values["CreateRepository"] == "true":
            faults.append(f"create_repository works with CodeCommit only: make the repository at {values['Provider']}")
        if "/" not in values["Repository"]:
            faults.append(f"repository is {values['Repository']!r}: give owner/name")
    if values["MlflowTrackingUri"].startswith("arn:"):
        if values["MlflowSecretArn"]:
            faults.append("mlflow_secret_arn is of no use with a managed MLflow, which lets roles in: leave it out")
        if not values["MlflowArtifactBucket"]:
            faults.append("mlflow_artifact_bucket is missing: a managed MLflow leaves its artifacts to who logs them")
    elif values["MlflowArtifactBucket"]:
        faults.append("mlflow_artifact_bucket is of a managed MLflow only: leave it out, or give an ARN as address")
    network = {key: values[key] for key in ("VpcId", "SubnetIds", "SecurityGroupIds")}
    if any(network.values()) and not all(network.values()):
        faults.append("vpc_id, subnet_ids and security_group_ids go together: give all three or none")
    return faults
