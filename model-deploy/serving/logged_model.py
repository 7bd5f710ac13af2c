"""What MLflow logged beside the model: the MLmodel file, the requirements, the example, read without MLflow.

The layout of the directory is MLflow's: https://mlflow.org/docs/latest/ml/model/#storage-format"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from refusals import StartRefused, shown
from signature import Signature

# A method the model is asked for; `score` is MLflow's fourth, but it needs the truth beside the rows.
PREDICT_METHODS = ("predict", "predict_proba", "predict_log_proba")


@dataclass(frozen=True)
class LoggedModel:
    """A model directory as MLflow saved it.

    `python` and `scikit_learn` are the versions it was logged with, `requirement` its own requirement on scikit-learn,
    `trusted_types` what skops was told to trust, `example` the logged example as a scoring request (JSON), if any.
    """

    path: Path
    model_file: Path
    signature: Signature
    predict_method: str
    python: str
    scikit_learn: str
    requirement: Requirement | None
    trusted_types: tuple[str, ...]
    example: bytes | None

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the model in `directory`. Raises StartRefused for none, one not of scikit-learn, or a pickle."""
        flavors, signature = _mlmodel(directory)
        python_function, sklearn = flavors.get("python_function", {}), flavors.get("sklearn")
        if not sklearn:
            found = ", ".join(flavors) or "none"
            raise StartRefused(
                f"This endpoint serves scikit-learn models; the model in {directory} has flavors: {found}."
            )
        serialization = sklearn.get("serialization_format", "pickle")
        if serialization != "skops":
            raise StartRefused(
                f"The model was saved as {serialization}, which runs whatever code is in it when it is opened: log it "
                'with serialization_format="skops" and the trusted types listed.'
            )
        method = python_function.get("predict_fn", "predict")
        if method not in PREDICT_METHODS:
            raise StartRefused(f"The model answers by {shown(method)}; this endpoint has {', '.join(PREDICT_METHODS)}.")
        example = directory / "serving_input_example.json"
        return cls(
            path=directory,
            model_file=directory / sklearn["pickled_model"],
            signature=Signature.from_mlmodel(signature),
            predict_method=method,
            python=str(python_function.get("python_version", "")),
            scikit_learn=str(sklearn.get("sklearn_version", "")),
            requirement=_requirement_on_scikit_learn(directory / "requirements.txt"),
            trusted_types=tuple(sklearn.get("skops_trusted_types") or ()),
            example=example.read_bytes() if example.is_file() else None,
        )


def _mlmodel(directory: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    path = directory / "MLmodel"
    try:
        document = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        found = ", ".join(sorted(entry.name for entry in directory.glob("*"))) or "nothing"
        raise StartRefused(
            f"No MLmodel in {directory}: model.tar.gz must hold an MLflow model at its root. Found: {found}."
        ) from None
    except PermissionError as error:
        raise StartRefused(f"{path} cannot be read by the user this container runs as: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise StartRefused(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        raise StartRefused(f"{path} lists no flavors: it is no MLflow model.")
    return document["flavors"], document.get("signature")


def _requirement_on_scikit_learn(path: Path) -> Requirement | None:
    lines = path.read_text().splitlines() if path.is_file() else []
    for line in lines:
        try:
            requirement = Requirement(line.split(" #")[0].strip())
        except InvalidRequirement:  # an option of pip, such as -c, or a comment: says nothing on scikit-learn
            continue
        if requirement.name.lower().replace("_", "-") == "scikit-learn":
            return requirement
    return None
