"""A logged model as it lies in a directory: what it says about itself in MLmodel, requirements.txt and python_env.yaml.
MLflow writes these files beside the model when it is logged; here they are read once, into one value."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from model_deploy.errors import DeploymentError


@dataclass(frozen=True)
class LoggedModel:
    """A model directory in MLflow's format.

    `python` is the version it was logged under (`3.12.4`), None when it does not say. `trained_with` is the
    scikit-learn version its sklearn flavor names, None for another flavor.
    `serving_example` is a body for `/invocations`.
    """

    directory: Path
    run_id: str | None
    python: str | None
    requirements: tuple[Requirement, ...]
    trained_with: str | None
    serving_example: bytes

    def requirement(self, package: str) -> Requirement | None:
        """The logged requirement on a package, None when there is none."""
        wanted = canonicalize_name(package)
        return next((found for found in self.requirements if canonicalize_name(found.name) == wanted), None)


def read_logged_model(directory: Path) -> LoggedModel:
    """Read what a downloaded model says about itself.

    Raises:
        DeploymentError: a file that MLflow writes is missing or cannot be read, or the model has no input example.
    """
    mlmodel = _mapping(directory / "MLmodel")
    flavors = mlmodel.get("flavors") or {}
    if "python_function" not in flavors:
        raise DeploymentError(
            f"The model has the flavors {', '.join(sorted(flavors)) or 'none'}, but not python_function, by which the "
            "endpoint loads and calls it. Log it with the log_model of an MLflow flavor."
        )
    if not mlmodel.get("signature"):
        raise DeploymentError(
            "The model has no signature, so the endpoint could check no request. Log it with signature=."
        )
    python = _mapping(directory / "python_env.yaml").get("python")
    sklearn_version = (flavors.get("sklearn") or {}).get("sklearn_version")
    return LoggedModel(
        directory=directory,
        run_id=mlmodel.get("run_id"),
        python=str(python) if python else None,
        requirements=_requirements(directory / "requirements.txt"),
        trained_with=str(sklearn_version) if sklearn_version else None,
        serving_example=_serving_example(directory, mlmodel.get("saved_input_example_info") or {}),
    )


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        raise DeploymentError(f"The model's {path.name} is not YAML: {error}. Log the model again.") from error
    if not isinstance(content, dict):
        raise DeploymentError(f"The model's {path.name} is not a mapping. Log the model again.")
    return content


def _requirements(path: Path) -> tuple[Requirement, ...]:
    lines = [line.split(" #")[0].strip() for line in _text(path).splitlines()]
    # Lines that begin with a dash are options for pip (an index, a constraints file), not requirements.
    wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
    try:
        return tuple(Requirement(line) for line in wanted)
    except InvalidRequirement as error:
        raise DeploymentError(f"The model's requirements.txt cannot be read: {error}. Log the model again.") from error


def _serving_example(directory: Path, info: dict[str, Any]) -> bytes:
    name = info.get("serving_input_path")
    if not name:
        raise DeploymentError(
            "The model was logged without an input example, so nothing can be sent to test its endpoint. "
            "Log it with input_example= and pin the new version."
        )
    text = _text(directory / name)
    try:
        json.loads(text)
    except ValueError as error:
        raise DeploymentError(f"The model's {name} is not JSON: {error}. Log the model again.") from error
    return text.encode()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeploymentError(
            f"The model has no readable {path.name} ({error}). Log it again with MLflow and pin the new version."
        ) from error
