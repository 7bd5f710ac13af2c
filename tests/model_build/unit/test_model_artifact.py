"""The saved model: classes come back as the data spell them, whatever their kind."""

from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModel
from model_artifact import describe_model, save_model
from sklearn.tree import DecisionTreeClassifier
from splits import Split


@pytest.mark.parametrize(
    ("classes", "kind"),
    [(["setosa", "iris virginica"], "string"), ([3, 7], "long"), ([True, False], "boolean")],
)
def test_classes_come_back_as_the_data_spell_them(tmp_path: Path, classes: list[Any], kind: str) -> None:
    split = Split("train", pd.DataFrame({"a": [0.0, 1.0] * 5, "target": classes * 5}), "digest")
    model = describe_model(DecisionTreeClassifier().fit(split.features, split.labels), split)
    save_model(model, tmp_path / "model", LoggedModel("1", "m-1", "model", str(tmp_path), 0, 0), "run")
    saved = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert saved.predict(np.array([[0.0], [1.0]])).tolist() == classes
    assert model.signature.outputs.to_dict() == [{"type": kind, "required": True}]
    assert mlflow.models.Model.load(str(tmp_path / "model")).signature == model.signature
