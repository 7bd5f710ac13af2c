"""What a model itself predicts for its logged input example: what its endpoint has to answer.
The model is asked in this process, from the very files that were packed."""

import warnings
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import Model

from model_deploy.errors import DeploymentError
from model_deploy.logged_model import LoggedModel
from model_deploy.smoke import SmokeTest


def prepare_smoke_test(model: LoggedModel) -> SmokeTest:
    """Ask the model itself what it predicts for its input example.

    Raises:
        DeploymentError: the model cannot be loaded here, or cannot predict its own example.
    """
    directory = str(model.directory)
    try:
        example = Model.load(directory).load_input_example(directory)
        with warnings.catch_warnings():
            # A model that was fitted on arrays is given named columns by MLflow, which scikit-learn remarks upon.
            warnings.filterwarnings("ignore", message="X has feature names", category=UserWarning)
            predictions = mlflow.pyfunc.load_model(directory).predict(example)
    # A model is anyone's code: whatever it raises says that it would not serve either.
    except Exception as error:
        raise DeploymentError(
            f"The model cannot predict its own input example in this process ({type(error).__name__}: {error}). It "
            "would not do so in the endpoint either; if a package is missing here, add it to "
            "model-deploy/pyproject.toml."
        ) from error
    return SmokeTest(model.serving_example, _rows(predictions))


def _rows(predictions: Any) -> list[Any]:
    if isinstance(predictions, pd.DataFrame | pd.Series):
        predictions = predictions.to_numpy()
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    return [_plain(row) for row in np.asarray(predictions).tolist()]


def _plain(value: Any) -> Any:
    """An array of objects keeps numpy's own scalars (labels are often np.str_), which are no JSON values."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
