"""The pin: which version of which registered model a commit of this repository serves.
A number says it outright; an alias (`champion`, `staging`) says it by way of the registry."""

import re
from dataclasses import dataclass

from model_deploy.errors import DeploymentError

# The model's name and the stage's name make the name of the endpoint, which SageMaker holds to this form and to
# 63 characters; a CloudFormation stack must begin with a letter besides.
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html
_ENDPOINT_SAFE = re.compile(r"[A-Za-z](-?[A-Za-z0-9])*")
_LONGEST_MODEL_NAME = 63 - len("-staging")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
# MLflow's own rule for aliases, with the two forms it keeps for itself (`v3`, `latest`) taken out below.
# https://mlflow.org/docs/latest/ml/model-registry/
_ALIAS = re.compile(r"[A-Za-z_-][A-Za-z0-9_-]{0,255}")


@dataclass(frozen=True)
class Pin:
    """A registered model's name, and the version asked for: a number of 1 or more, or an alias."""

    model_name: str
    version: str

    @property
    def number(self) -> int | None:
        """The version's number, or None when the pin names an alias."""
        return int(self.version) if _NUMBER.fullmatch(self.version) else None

    def __str__(self) -> str:
        return f"{self.model_name} version {self.version}" if self.number else f"{self.model_name}@{self.version}"


def parse_pin(model_name: str | None, version: str | None) -> Pin:
    """Read a pin from the texts of MODEL_NAME and MODEL_VERSION.

    Raises:
        DeploymentError: a text is missing, or is neither what MLflow nor what SageMaker would accept.
    """
    name, wanted = (model_name or "").strip(), (version or "").strip()
    if not name:
        raise DeploymentError(
            "MODEL_NAME is empty: no model is pinned. Set it in buildspec.yml to the name of a model in the registry."
        )
    if not _ENDPOINT_SAFE.fullmatch(name) or len(name) > _LONGEST_MODEL_NAME:
        raise DeploymentError(
            f"MODEL_NAME is {name!r}, which cannot name an endpoint: SageMaker takes letters, digits and single "
            f"hyphens, a letter first, and here at most {_LONGEST_MODEL_NAME} characters. Rename the model "
            "in the registry, or register it under such a name."
        )
    if not wanted:
        raise DeploymentError(
            f"MODEL_VERSION is empty: no version of {name} is pinned. Set it in buildspec.yml to a number or an alias."
        )
    if wanted.lower() == "latest":
        raise DeploymentError(
            "MODEL_VERSION is 'latest', which pins nothing: the next training would change what is served. "
            "Name a version's number, or an alias that someone moves on purpose."
        )
    if not _NUMBER.fullmatch(wanted) and not _is_alias(wanted):
        raise DeploymentError(
            f"MODEL_VERSION is {wanted!r}, which is neither a version's number (1, 2, ...) nor an alias "
            "(letters, digits, hyphens and underscores, such as 'champion'). Correct it in buildspec.yml."
        )
    return Pin(model_name=name, version=wanted)


def _is_alias(text: str) -> bool:
    return bool(_ALIAS.fullmatch(text)) and not re.fullmatch(r"v\d+", text, re.IGNORECASE) and not text.startswith("-")
