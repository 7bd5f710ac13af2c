"""A trained classifier as an MLflow model: skops (no pickle), signature, input example, exact requirements.
Nothing is inferred: inferring requirements would import the model in a second process, about 10 s a run."""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import sklearn
import skops.io  # noqa: F401 (MLflow imports it when it first saves)
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches
from sklearn.base import ClassifierMixin
from splits import TARGET, Split

# What skops may rebuild besides what it trusts anyway; another kind of model names its own types here.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]
# What a process needs to read and run the model.
REQUIREMENTS = tuple(
    f"{name}=={importlib.metadata.version(name)}"
    for name in ("mlflow-skinny", "scikit-learn", "skops", "numpy", "pandas")
)
EXAMPLE_ROWS_PER_CLASS = 2

_LABEL_TYPES = {"b": DataType.boolean, "i": DataType.long, "u": DataType.long, "f": DataType.double}

# Before it saves, MLflow compares the requirements with what is installed, and looks through every installed package
# the first time (0.5 s). Done at import, a process that forks a child for each training does it once for all of them.
warn_dependency_requirement_mismatches(list(REQUIREMENTS))


@dataclass(frozen=True)
class TrainedModel:
    """A fitted classifier with what a caller must know of it."""

    classifier: ClassifierMixin
    signature: ModelSignature
    example: pd.DataFrame


def describe_model(classifier: ClassifierMixin, train: Split) -> TrainedModel:
    """Give a classifier that was fitted on arrays the column names and types its callers use.

    It is fitted on arrays, so that a server may predict from an array; the signature keeps the names and their order.
    """
    labels = np.asarray(classifier.classes_)
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name) for name in train.columns]),
        outputs=Schema([ColSpec(_LABEL_TYPES.get(labels.dtype.kind, DataType.string))]),
    )
    in_order = train.frame.sort_values(TARGET, kind="stable")
    example = in_order.groupby(TARGET).head(EXAMPLE_ROWS_PER_CLASS)[train.columns]
    return TrainedModel(classifier, signature, example.astype("float64").reset_index(drop=True))


def library_versions() -> dict[str, str]:
    """The versions that decide what the model is: scikit-learn and numpy."""
    return {"scikit-learn": sklearn.__version__, "numpy": np.__version__}


def save_model(model: TrainedModel, path: Path, logged: LoggedModel, run_id: str) -> None:
    """Write the MLflow model directory of a logged model (https://mlflow.org/docs/latest/ml/model/)."""
    mlflow.sklearn.save_model(
        model.classifier,
        str(path),
        mlflow_model=Model(
            artifact_path=logged.artifact_location,
            run_id=run_id,
            model_uuid=logged.model_id,
            model_id=logged.model_id,
        ),
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=TRUSTED_TYPES,
        signature=model.signature,
        input_example=model.example,
        pip_requirements=list(REQUIREMENTS),
    )
