"""A version of a registered model, as the registry has it: what it is called, where it is from, who points to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry, as it is now."""

    model_name: str
    number: int
    run_id: str | None
    tags: Mapping[str, str]
    aliases: frozenset[str]

    @property
    def tier(self) -> str | None:
        """The quality tier the gate gave it; None for a version that was registered without the gate."""
        return self.tags.get("tier")

    @property
    def uri(self) -> str:
        """MLflow's address of this version's files."""
        return f"models:/{self.model_name}/{self.number}"

    @property
    def served_as(self) -> str:
        """How an endpoint that serves it names it in each answer's CustomAttributes."""
        return f"{self.model_name}/{self.number}"

    def page(self, tracking_uri: str) -> str:
        """The address of its page in MLflow; for a managed server, whose pages need a link of AWS's, of SageMaker's."""
        if tracking_uri.startswith(("http://", "https://")):
            return f"{tracking_uri.rstrip('/')}/#/models/{quote(self.model_name)}/versions/{self.number}"
        region = tracking_uri.split(":")[3]
        return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/mlflow"
