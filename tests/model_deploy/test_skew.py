"""Skew: what a model's own files ask for, held against what the serving image's tag says it has."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sklearn
import yaml
from model_deploy.errors import DeploymentError
from model_deploy.image import ServingEnvironment, read_image_tag, serving_environment
from model_deploy.logged_model import LoggedModel, read_logged_model
from model_deploy.skew import refuse_skew

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = ServingEnvironment(PYTHON, sklearn.__version__, "0123456789ab")

Changed = Callable[..., LoggedModel]


@pytest.fixture
def changed(saved_model: Path, tmp_path: Path) -> Changed:
    """Read the saved model with some of its files replaced, or removed by None."""

    def read(**files: str | None) -> LoggedModel:
        shutil.copytree(saved_model, tmp_path / "model", dirs_exist_ok=True)
        for name, text in files.items():
            path = tmp_path / "model" / name.replace("__", ".")
            path.unlink() if text is None else path.write_text(text)
        return read_logged_model(tmp_path / "model")

    return read


@pytest.mark.parametrize(
    "image",
    [
        None,
        "",
        REPOSITORY,
        f"{REPOSITORY}:latest",
        f"{REPOSITORY}:py3-sklearn1.9.0-0123456789ab",
        f"{REPOSITORY}:py3.12-sklearn1.9.0",
        f"{REPOSITORY}:py3.12-sklearn1.9.0-XYZ",
        "two words",
    ],
)
def test_an_image_whose_tag_says_nothing_is_refused_with_how_to_build_one(image: str | None) -> None:
    with pytest.raises(DeploymentError, match=r"SERVING_IMAGE is .*python -m model_deploy image --repository"):
        read_image_tag(image)


@pytest.mark.parametrize("pinned", ["", "@sha256:" + "0" * 64])
def test_a_tag_says_what_the_endpoint_has(pinned: str) -> None:
    said = read_image_tag(f"localhost:5000/team/serving:py3.12-sklearn1.9.0-0123456789ab{pinned}")
    assert said == ServingEnvironment("3.12", "1.9.0", "0123456789ab")
    assert said.tag == "py3.12-sklearn1.9.0-0123456789ab"


@pytest.mark.parametrize(
    "requirement", ["scikit-learn==1.8.0", "scikit_learn == 1.9.1", "scikit-learn>=1.4,<1.9", "Scikit.Learn~=1.8.0"]
)
def test_another_scikit_learn_is_refused(changed: Changed, requirement: str) -> None:
    model = changed(requirements__txt=f"mlflow\n{requirement}\n")
    with pytest.raises(DeploymentError, match=r"requires (?i:scikit.learn).*, the image has scikit-learn 1\.9\.0"):
        refuse_skew(model, ServingEnvironment(PYTHON, "1.9.0", "0123456789ab"))


def test_a_model_trained_with_a_patch_release_that_its_requirements_only_allow_is_refused(
    changed: Changed, saved_model: Path
) -> None:
    mlmodel = (
        (saved_model / "MLmodel")
        .read_text()
        .replace(f"sklearn_version: {sklearn.__version__}", "sklearn_version: 1.8.2")
    )
    model = changed(requirements__txt="scikit-learn>=1.8\n", MLmodel=mlmodel)
    with pytest.raises(DeploymentError, match=r"trained with scikit-learn 1\.8\.2, the image has"):
        refuse_skew(model, HERE)


def test_another_python_is_refused(changed: Changed) -> None:
    model = changed(python_env__yaml="python: 3.9.18\n")
    with pytest.raises(DeploymentError, match=rf"logged under Python 3\.9\.18, the image has Python {PYTHON}"):
        refuse_skew(model, HERE)


def test_a_model_that_does_not_say_what_it_needs_is_refused(changed: Changed, saved_model: Path) -> None:
    mlmodel = yaml.safe_load((saved_model / "MLmodel").read_text())
    del mlmodel["flavors"]["sklearn"]
    silent = changed(requirements__txt="# nothing\n--index-url x\nskops==0.16.0\n", MLmodel=yaml.safe_dump(mlmodel))
    with pytest.raises(DeploymentError, match="names no scikit-learn"):
        refuse_skew(silent, HERE)
    loose = changed(requirements__txt="scikit-learn==1.9.*\n", MLmodel=yaml.safe_dump(mlmodel))
    with pytest.raises(DeploymentError, match="pins no version"):
        refuse_skew(loose, HERE)
    with pytest.raises(DeploymentError, match="names no Python"):
        refuse_skew(changed(requirements__txt="scikit-learn==1.9.0", python_env__yaml="dependencies: []"), HERE)


def test_both_skews_are_told_at_once(changed: Changed) -> None:
    model = changed(requirements__txt="scikit-learn==1.2.1\n", python_env__yaml="python: 3.9.18\n")
    with pytest.raises(DeploymentError, match=r"scikit-learn==1\.2\.1.*; it was logged under Python 3\.9\.18"):
        refuse_skew(model, HERE)


def test_a_patch_release_of_python_is_no_skew(changed: Changed) -> None:
    refuse_skew(changed(python_env__yaml=f"python: {PYTHON}.99\n"), HERE)


def test_a_model_logged_here_fits_an_image_of_this_environment(changed: Changed) -> None:
    refuse_skew(changed(), HERE)


@pytest.mark.parametrize("name", ["MLmodel", "requirements.txt", "python_env.yaml", "serving_input_example.json"])
def test_a_model_without_one_of_its_files_is_refused_by_name(changed: Changed, name: str) -> None:
    with pytest.raises(DeploymentError, match=f"no readable {name}"):
        changed(**{name.replace(".", "__"): None})


def test_a_model_without_signature_or_input_example_is_refused(changed: Changed, saved_model: Path) -> None:
    for key, says in (("signature", "no signature"), ("saved_input_example_info", "without an input example")):
        mlmodel = yaml.safe_load((saved_model / "MLmodel").read_text())
        del mlmodel[key]
        with pytest.raises(DeploymentError, match=says):
            changed(MLmodel=yaml.safe_dump(mlmodel))


def test_broken_files_are_refused_by_name(changed: Changed) -> None:
    with pytest.raises(DeploymentError, match=r"requirements\.txt cannot be read"):
        changed(requirements__txt="scikit-learn===\n==\n")
    with pytest.raises(DeploymentError, match=r"serving_input_example\.json is not JSON"):
        changed(requirements__txt="scikit-learn\n", serving_input_example__json='{"dataframe_split":')


def test_the_example_to_send_is_the_logged_one(changed: Changed) -> None:
    assert len(json.loads(changed().serving_example)["dataframe_split"]["data"]) == 3


def test_the_tag_changes_with_every_file_of_serving_and_with_nothing_else(tmp_path: Path) -> None:
    def tag() -> str:
        return serving_environment(tmp_path, "3.12").tag

    (tmp_path / "Dockerfile").write_text("FROM python\n")
    (tmp_path / "requirements.txt").write_text("numpy>=2\nscikit-learn==1.9.0  # as in training\n")
    (tmp_path / "server.py").write_text("app = None\n")
    first = tag()
    assert first.startswith("py3.12-sklearn1.9.0-")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "server.pyc").write_bytes(b"compiled")
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert tag() == first
    for name in ("Dockerfile", "requirements.txt", "server.py", "signature.py"):
        before = tag()
        with (tmp_path / name).open("a") as file:
            file.write("\n# changed\n")
        assert tag() != before


def test_a_serving_directory_that_pins_no_scikit_learn_makes_no_tag(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"no Dockerfile and no requirements\.txt"):
        serving_environment(tmp_path, "3.12")
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    (tmp_path / "requirements.txt").write_text("scikit-learn>=1.9\n")
    with pytest.raises(DeploymentError, match="does not pin scikit-learn"):
        serving_environment(tmp_path, "3.12")
    with pytest.raises(DeploymentError, match=r"--python is 'py3'"):
        serving_environment(tmp_path, "py3")
