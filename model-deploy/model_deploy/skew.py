"""Skew: a model asks for one scikit-learn and Python, the endpoint has another.
It is refused before anything is deployed, because it shows as wrong predictions and not as an error."""

from model_deploy.errors import DeploymentError
from model_deploy.image import ServingEnvironment
from model_deploy.logged_model import LoggedModel


def refuse_skew(model: LoggedModel, serving: ServingEnvironment) -> None:
    """Hold the model's own logged requirements against what the serving image has.

    scikit-learn must be the same in all three parts: it supports loading an estimator only under the version that
    saved it, and warns of a patch release as of any other (https://scikit-learn.org/stable/model_persistence.html).
    Python must be the same in major.minor: the two parts that images and compiled wheels are built for.

    Raises:
        DeploymentError: they differ, or the model does not say what it needs.
    """
    found = [*_sklearn_skew(model, serving), *_python_skew(model, serving)]
    if found:
        raise DeploymentError(
            f"The model does not fit the serving image ({serving.tag}): {'; '.join(found)}. Build an image that has "
            "what the model asks for (model-deploy/serving/requirements.txt, then python -m model_deploy image), or "
            "train the model anew under what the image has."
        )


def _sklearn_skew(model: LoggedModel, serving: ServingEnvironment) -> list[str]:
    requirement = model.requirement("scikit-learn")
    if requirement is None and model.trained_with is None:
        return ["its requirements.txt names no scikit-learn, so it does not say which one it needs"]
    if requirement is not None and not requirement.specifier.contains(serving.sklearn, prereleases=True):
        return [f"it requires {requirement}, the image has scikit-learn {serving.sklearn}"]
    if model.trained_with is not None and model.trained_with != serving.sklearn:
        return [f"it was trained with scikit-learn {model.trained_with}, the image has {serving.sklearn}"]
    pinned = requirement is not None and any(
        clause.operator in ("==", "===") and "*" not in clause.version for clause in requirement.specifier
    )
    if not pinned and model.trained_with is None:
        return [f"it requires {requirement}, which pins no version, and its flavor names none"]
    return []


def _python_skew(model: LoggedModel, serving: ServingEnvironment) -> list[str]:
    if model.python is None:
        return ["its python_env.yaml names no Python"]
    if model.python.split(".")[:2] != serving.python.split("."):
        return [f"it was logged under Python {model.python}, the image has Python {serving.python}"]
    return []
