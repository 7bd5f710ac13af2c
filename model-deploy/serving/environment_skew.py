"""Does this container have what the model was logged with? Python's major.minor and scikit-learn, to the letter.

scikit-learn promises nothing for a model opened by another version: https://scikit-learn.org/stable/model_persistence.html"""

from dataclasses import dataclass

from logged_model import LoggedModel
from refusals import StartRefused


@dataclass(frozen=True)
class Environment:
    """The versions in this container, as dotted strings."""

    python: str
    scikit_learn: str


def refuse_skew(model: LoggedModel, environment: Environment) -> None:
    """Raise StartRefused, naming every difference, unless the model may be served in `environment`."""
    differences = []
    if model.python and _major_minor(model.python) != _major_minor(environment.python):
        differences.append(f"Python {_major_minor(model.python)} (here: {_major_minor(environment.python)})")
    if model.scikit_learn and model.scikit_learn != environment.scikit_learn:
        differences.append(f"scikit-learn {model.scikit_learn} (here: {environment.scikit_learn})")
    elif model.requirement and not model.requirement.specifier.contains(environment.scikit_learn, prereleases=True):
        differences.append(f"{model.requirement} (here: {environment.scikit_learn})")
    if differences:
        raise StartRefused(
            f"The model was logged with {' and '.join(differences)}: deploy it with a serving image of those versions, "
            "or train it again with these."
        )


def _major_minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
