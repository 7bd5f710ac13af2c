"""Model versions: a model that passed the gate is registered once, however often the same training is repeated.
The registry has no unique tags, so a version is created first and withdrawn if an earlier one makes it superfluous."""

import json
from dataclasses import dataclass
from enum import StrEnum

from lineage import Identity
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking import MlflowClient


class Policy(StrEnum):
    """Which of the models that pass the gate are registered."""

    EVERY = "every"
    BEST = "best"


@dataclass(frozen=True)
class Candidate:
    """A logged model that passed the gate, and the tags its version would carry."""

    model_name: str
    model_id: str
    run_id: str
    identity: Identity
    accuracy: float
    tier: str
    gate: str
    lineage: dict[str, str]

    def tags(self) -> dict[str, str]:
        judged = {"tier": self.tier, "gate": self.gate, "accuracy": repr(self.accuracy)}
        return {**self.lineage, **self.identity.tags(), **judged}


@dataclass(frozen=True)
class Registration:
    """What became of a candidate: its version (added now, or found), or None with the reason."""

    version: str | None
    added: bool
    reason: str


def register(client: MlflowClient, candidate: Candidate, policy: Policy) -> Registration:
    """Register a candidate, unless the same training is registered already or, by policy `best`, it beats nothing.

    "Best so far" is among the versions of the same search: its tuning job, or an earlier one with the same code, data,
    seed and ranges, so that repeating a push adds nothing in whatever order its trials end.
    """
    settled = _settled(_versions(client, candidate), candidate, policy)
    if settled:
        return _brought_up_to_date(client, candidate, settled)
    mine = _add(client, candidate)
    # Two trials may have looked at the same moment: the earlier version stays, the later one is withdrawn.
    earlier = [version for version in _versions(client, candidate) if int(version.version) < int(mine.version)]
    settled = _settled(earlier, candidate, policy)
    if settled:
        client.delete_model_version(candidate.model_name, mine.version)
        return _brought_up_to_date(client, candidate, settled)
    _link(client, candidate, mine)
    return Registration(str(mine.version), True, "passed the gate")


def _settled(versions: list[ModelVersion], candidate: Candidate, policy: Policy) -> Registration | None:
    for version in versions:
        if version.tags.get("fingerprint") == candidate.identity.fingerprint:
            return Registration(str(version.version), False, "the same training is registered already")
    if policy is Policy.BEST:
        for version in versions:
            accuracy = float(version.tags.get("accuracy", "-inf"))
            if version.tags.get("search") == candidate.identity.search and accuracy >= candidate.accuracy:
                return Registration(None, False, f"does not beat version {version.version} (accuracy {accuracy:.4g})")
    return None


def _versions(client: MlflowClient, candidate: Candidate) -> list[ModelVersion]:
    where = f"name = '{candidate.model_name}' and tags.recipe = '{candidate.identity.recipe}'"
    return sorted(client.search_model_versions(where, max_results=1000), key=lambda version: int(version.version))


def _add(client: MlflowClient, candidate: Candidate) -> ModelVersion:
    try:
        client.create_registered_model(candidate.model_name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    return client.create_model_version(
        candidate.model_name,
        source=f"models:/{candidate.model_id}",
        run_id=candidate.run_id,
        model_id=candidate.model_id,
        tags=candidate.tags(),
        await_creation_for=0,
    )


def _brought_up_to_date(client: MlflowClient, candidate: Candidate, settled: Registration) -> Registration:
    """The gate may have changed since the version was added: its tier is what today's gate says."""
    if settled.version is not None:
        known = client.get_model_version(candidate.model_name, settled.version).tags
        for tag, value in (("tier", candidate.tier), ("gate", candidate.gate)):
            if known.get(tag) != value:
                client.set_model_version_tag(candidate.model_name, settled.version, tag, value)
    return settled


def _link(client: MlflowClient, candidate: Candidate, version: ModelVersion) -> None:
    """MLflow's pages show a logged model's versions from this tag of its own."""
    versions = [{"name": candidate.model_name, "version": str(version.version)}]
    client.set_logged_model_tags(candidate.model_id, {"mlflow.modelVersions": json.dumps(versions)})
