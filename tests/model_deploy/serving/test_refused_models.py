"""Models that the program refuses before it answers a ping, with the reason as the last line of its log."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.tree import DecisionTreeClassifier


@pytest.fixture
def changed(tree_model: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], Path]:
    """A copy of the tree's model whose MLmodel has been changed."""

    def change(edit: Callable[[dict[str, Any]], None]) -> Path:
        copy = tmp_path / "model"
        shutil.copytree(tree_model, copy)
        document = yaml.safe_load((copy / "MLmodel").read_text())
        edit(document)
        (copy / "MLmodel").write_text(yaml.safe_dump(document))
        return copy

    return change


@pytest.fixture(scope="module")
def warm_server() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported what opens a model, which takes nearly all of a start, and forks the program."""
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("warm_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def refusal_on_opening(
    warm_server: subprocess.Popen[str], environment_for: Callable[[Path, int], dict[str, str]], tmp_path: Path
) -> Callable[..., str]:
    """Start the program, warm, on a model that it must refuse after it has read its files; what it says."""

    def refuse(model: Path, workers: int = 1) -> str:
        assert warm_server.stdin
        assert warm_server.stdout
        log = tmp_path / "server.log"
        asked = {"environment": environment_for(model, workers), "log": str(log)}
        print(json.dumps(asked), file=warm_server.stdin, flush=True)
        code, said = warm_server.stdout.readline(), log.read_text()
        assert code == "1\n", said
        assert "Traceback" not in said
        assert "Not serving: " in said
        return said

    return refuse


Refusal = Callable[..., str]
Changed = Callable[[Callable[[dict[str, Any]], None]], Path]


def test_a_directory_without_a_model_names_what_is_there(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.joblib").touch()
    assert "Found: model.joblib." in refusal(tmp_path / "model")


def test_an_mlmodel_that_is_damaged_is_refused(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: [")
    assert "is not YAML" in refusal(tmp_path)


def test_another_python_is_named_beside_this_one(refusal: Refusal, changed: Changed) -> None:
    model = changed(lambda document: document["flavors"]["python_function"].update(python_version="3.9.18"))
    said = refusal(model)
    assert "The model was logged with Python 3.9 (here: 3." in said
    assert "train it again" in said


def test_another_scikit_learn_is_named_beside_this_one(refusal: Refusal, changed: Changed) -> None:
    model = changed(lambda document: document["flavors"]["sklearn"].update(sklearn_version="1.4.2"))
    assert "scikit-learn 1.4.2 (here: 1." in refusal(model)


def test_a_requirement_that_excludes_this_scikit_learn_is_named(refusal: Refusal, changed: Changed) -> None:
    model = changed(lambda document: None)
    (model / "requirements.txt").write_text("mlflow\n# pinned\n-c constraints.txt\nscikit_learn>=1.2,<1.3\n")
    assert "scikit_learn<1.3,>=1.2 (here: 1." in refusal(model)


def test_a_pickle_is_refused_for_what_it_is(
    refusal: Refusal, tmp_path: Path, iris: tuple[pd.DataFrame, pd.Series]
) -> None:
    tree = DecisionTreeClassifier().fit(*iris)
    mlflow.sklearn.save_model(tree, str(tmp_path / "model"), serialization_format="cloudpickle", pip_requirements=[])
    assert "saved as cloudpickle, which runs whatever code is in it" in refusal(tmp_path / "model")


def test_a_model_that_holds_types_it_does_not_list_is_refused(refusal_on_opening: Refusal, changed: Changed) -> None:
    model = changed(lambda document: document["flavors"]["sklearn"].update(skops_trusted_types=None))
    assert "sklearn.tree._tree.Tree" in refusal_on_opening(model)


def test_a_model_that_trusts_types_of_an_unknown_package_is_refused(
    refusal_on_opening: Refusal, changed: Changed
) -> None:
    model = changed(lambda document: document["flavors"]["sklearn"]["skops_trusted_types"].append("os.system"))
    assert "asks to trust types that this endpoint does not: os.system" in refusal_on_opening(model)


def test_a_damaged_model_file_is_refused(refusal_on_opening: Refusal, changed: Changed) -> None:
    model = changed(lambda document: None)
    (model / "model.skops").write_bytes(b"not a zip")
    assert "model.skops cannot be opened" in refusal_on_opening(model)


def test_a_model_without_a_signature_is_refused(refusal: Refusal, changed: Changed) -> None:
    assert "has no signature" in refusal(changed(lambda document: document.pop("signature")))


def test_a_model_of_another_library_is_refused(refusal: Refusal, changed: Changed) -> None:
    assert "has flavors: python_function" in refusal(changed(lambda document: document["flavors"].pop("sklearn")))


def test_a_signature_of_images_is_refused(refusal: Refusal, changed: Changed) -> None:
    tensor = '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}}]'
    model = changed(lambda document: document["signature"].update(inputs=tensor))
    assert "one unnamed tensor of rows" in refusal(model)


def test_a_type_of_column_that_cannot_be_fed_is_refused(refusal: Refusal, changed: Changed) -> None:
    schema = Schema([ColSpec("datetime", "when"), *(ColSpec("double", name) for name in "abc")])
    inputs = ModelSignature(inputs=schema).to_dict()["inputs"]
    said = refusal(changed(lambda document: document["signature"].update(inputs=inputs)))
    assert "Column 'when' of the model's signature is of type 'datetime'" in said


def test_a_signature_of_other_width_than_the_model_is_refused(refusal_on_opening: Refusal, changed: Changed) -> None:
    inputs = ModelSignature(inputs=Schema([ColSpec("double", name) for name in "abc"])).to_dict()["inputs"]
    model = changed(lambda document: document["signature"].update(inputs=inputs))
    assert "fitted with 4 columns, but its signature has 3" in refusal_on_opening(model)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_model_that_cannot_score_its_own_example_is_refused(
    refusal_on_opening: Refusal, changed: Changed, workers: int
) -> None:
    model = changed(lambda document: None)
    (model / "serving_input_example.json").write_text('{"inputs": [["a", 1, 1, 1]]}')
    assert "cannot score the example it was logged with: Row 0, column" in refusal_on_opening(model, workers=workers)


def test_a_port_in_use_is_refused(refusal: Refusal, tree_model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} of 127.0.0.1 cannot be listened on" in refusal(tree_model, port=port)
