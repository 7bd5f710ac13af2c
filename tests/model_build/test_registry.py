"""Registration against a real MLflow server: once per training, whatever repeats, races or changes around it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from lineage import Identity, identify
from mlflow.tracking import MlflowClient
from registry import Candidate, Policy, register


@pytest.fixture
def client(mlflow_uri: str) -> MlflowClient:
    return MlflowClient(mlflow_uri)


def identity(depth: int = 2, code: str = "code", search: str = "depth 1 5") -> Identity:
    return identify(code, "data", 42, {"scikit-learn": "1.9.0"}, search, {"max_depth": depth})


@pytest.fixture
def candidate(client: MlflowClient) -> Candidate:
    """A logged model of a registered model's name of its own."""
    name = f"model-{uuid.uuid4().hex[:8]}"
    experiment = client.create_experiment(name)
    run_id = client.create_run(experiment).info.run_id
    model_id = client.create_logged_model(experiment, "model", source_run_id=run_id).model_id
    return Candidate(name, model_id, run_id, identity(), 0.93, "standard", "accuracy > 0.9", {"tuning_job": "tune"})


def versions(client: MlflowClient, candidate: Candidate) -> list[int]:
    return sorted(int(version.version) for version in client.search_model_versions(f"name = '{candidate.model_name}'"))


def test_a_repeated_training_finds_its_version_and_adds_none(client: MlflowClient, candidate: Candidate) -> None:
    first = register(client, candidate, Policy.EVERY)
    again = register(client, candidate, Policy.EVERY)
    assert (first.version, first.added) == ("1", True)
    assert (again.version, again.added) == ("1", False)
    assert versions(client, candidate) == [1]


def test_trials_that_race_with_the_same_training_leave_one_version(client: MlflowClient, candidate: Candidate) -> None:
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: register(client, candidate, Policy.EVERY), range(4)))
    assert len(versions(client, candidate)) == 1
    assert {outcome.version for outcome in outcomes} == {str(versions(client, candidate)[0])}


@pytest.mark.parametrize("change", [{"depth": 3}, {"code": "other"}])
def test_another_training_is_another_version(client: MlflowClient, candidate: Candidate, change: dict) -> None:
    register(client, candidate, Policy.EVERY)
    other = register(client, replace(candidate, identity=identity(**change)), Policy.EVERY)
    assert (other.version, other.added) == ("2", True)


def test_a_version_carries_tier_gate_lineage_and_digests(client: MlflowClient, candidate: Candidate) -> None:
    register(client, candidate, Policy.EVERY)
    tags = client.get_model_version(candidate.model_name, "1").tags
    assert tags["tier"] == "standard"
    assert tags["gate"] == "accuracy > 0.9"
    assert tags["tuning_job"] == "tune"
    assert tags["fingerprint"] == candidate.identity.fingerprint


def test_a_gate_that_was_changed_renews_the_tier_of_the_version(client: MlflowClient, candidate: Candidate) -> None:
    register(client, candidate, Policy.EVERY)
    register(client, replace(candidate, tier="gold", gate="accuracy > 0.92"), Policy.EVERY)
    tags = client.get_model_version(candidate.model_name, "1").tags
    assert (tags["tier"], tags["gate"]) == ("gold", "accuracy > 0.92")


def test_by_policy_best_only_what_beats_the_best_so_far_is_registered(
    client: MlflowClient, candidate: Candidate
) -> None:
    def trial(depth: int, accuracy: float) -> Candidate:
        return replace(candidate, identity=identity(depth), accuracy=accuracy)

    assert register(client, trial(2, 0.93), Policy.BEST).version == "1"
    worse = register(client, trial(3, 0.92), Policy.BEST)
    equal = register(client, trial(4, 0.93), Policy.BEST)
    assert register(client, trial(5, 0.97), Policy.BEST).version == "2"
    assert (worse.version, equal.version) == (None, None)
    assert equal.reason == "does not beat version 1 (accuracy 0.93)"


def test_by_policy_best_a_repeated_search_adds_nothing_in_any_order(client: MlflowClient, candidate: Candidate) -> None:
    trials = [
        replace(candidate, identity=identity(depth), accuracy=accuracy) for depth, accuracy in ((2, 0.97), (3, 0.93))
    ]
    for trial in [*trials, *reversed(trials)]:
        register(client, trial, Policy.BEST)
    assert versions(client, candidate) == [1]


def test_by_policy_best_another_search_starts_anew(client: MlflowClient, candidate: Candidate) -> None:
    register(client, candidate, Policy.BEST)
    other = replace(candidate, identity=identity(depth=7, search="depth 6 9"), accuracy=0.91)
    assert register(client, other, Policy.BEST).version == "2"
