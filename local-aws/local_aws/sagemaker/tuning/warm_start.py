"""Warm start: a tuning job that begins with what up to five earlier ones found.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.sagemaker.tuning import trials
from local_aws.sagemaker.tuning.plan import Plan
from local_aws.sagemaker.tuning.trials import Result

if TYPE_CHECKING:
    from local_aws.sagemaker.tuning.search import Search

KIND = "tuning_job"


def check(cloud: Cloud, request: dict[str, Any], plan: Plan) -> None:
    """Refuse parents that the warm start rules of AWS exclude; raises `AwsError` (ValidationException)."""
    config = request.get("WarmStartConfig")
    if config is None:
        return
    (definition,) = plan.definitions
    count = len(definition.ranges) + len(definition.template.get("StaticHyperParameters", {}))
    for name in _parents(config):
        parent = cloud.store.find(KIND, name)
        if parent is None:
            raise validation_error(f"Parent hyperparameter tuning job {name} does not exist")
        status = parent["HyperParameterTuningJobStatus"]
        if status not in ("Completed", "Stopped", "Failed"):
            raise validation_error(f"Parent hyperparameter tuning job {name} must have ended; it is {status}")
        if "TrainingJobDefinition" not in parent:
            raise validation_error(
                f"Parent hyperparameter tuning job {name} has TrainingJobDefinitions: not for a warm start"
            )
        objective = parent["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        if objective != request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]:
            raise validation_error(
                f"The objective metric must be that of the parent {name}: {objective['Type']} {objective['MetricName']}"
            )
        theirs = parent["TrainingJobDefinition"]
        their_ranges = parent["HyperParameterTuningJobConfig"].get("ParameterRanges", {}).values()
        their_count = sum(map(len, their_ranges)) + len(theirs.get("StaticHyperParameters", {}))
        if count != their_count:
            raise validation_error(
                f"The number of static and tunable hyperparameters must remain that of the parent {name}: "
                f"{their_count}, not {count}"
            )
        if config["WarmStartType"] == "IdenticalDataAndAlgorithm":
            _check_identical(name, theirs, definition.template)


def learn(cloud: Cloud, config: dict[str, Any] | None, search: Search) -> None:
    """Tell a search what the training jobs of the parents found, as far as it lies within the ranges searched now."""
    for result in _results(cloud, config):
        if result.value is not None:
            search.learn(result.training_job.get("HyperParameters", {}), result.value)


def overall_best(cloud: Cloud, config: dict[str, Any] | None, own: list[Result]) -> dict[str, Any]:
    """OverallBestTrainingJob over a tuning job and its parents, where they share data and algorithm; else nothing."""
    if config is None or config["WarmStartType"] != "IdenticalDataAndAlgorithm":
        return {}
    best = trials.best([*_results(cloud, config), *own])
    if best is None:
        return {}
    tuning_job = best.training_job.get("TuningJobArn", "").rpartition("/")[2]
    return {"OverallBestTrainingJob": {**best.summary(), "TuningJobName": tuning_job}}


def _parents(config: dict[str, Any]) -> list[str]:
    return [parent["HyperParameterTuningJobName"] for parent in config["ParentHyperParameterTuningJobs"]]


def _results(cloud: Cloud, config: dict[str, Any] | None) -> list[Result]:
    found = [cloud.store.find(KIND, name) for name in _parents(config)] if config else []
    return [result for parent in found if parent is not None for result in trials.results(cloud, parent)]


def _check_identical(name: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    for what, differ in (
        ("TrainingImage", _image(theirs) != _image(ours)),
        ("InputDataConfig", theirs.get("InputDataConfig") != ours.get("InputDataConfig")),
    ):
        if differ:
            raise validation_error(
                f"{what} must be that of the parent {name} for a warm start of type IdenticalDataAndAlgorithm; "
                "use TransferLearning for other data or another algorithm"
            )


def _image(definition: dict[str, Any]) -> str | None:
    return definition["AlgorithmSpecification"].get("TrainingImage")
