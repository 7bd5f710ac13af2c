"""The training jobs that a tuning job launched: their summaries, how many are in which state, and the best of them.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperParameterTrainingJobSummary.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from local_aws.cloud import Cloud
from local_aws.sagemaker.tuning.plan import TrainingDefinition

KIND = "training_job"
OPEN = ("InProgress", "Stopping")

_COPIED = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "FailureReason")


@dataclass(frozen=True)
class Trial:
    """One training job of a tuning job: `definition` is the DefinitionName or None, `hyperparameters` those tuned."""

    name: str
    definition: str | None
    metric: str
    maximize: bool
    hyperparameters: dict[str, str]

    @staticmethod
    def of(definition: TrainingDefinition, name: str, hyperparameters: dict[str, str]) -> Trial:
        objective = definition.objective
        return Trial(name, definition.name, objective.metric, objective.maximize, hyperparameters)

    def stored(self) -> dict[str, Any]:
        """The trial as it is kept in the description of its tuning job."""
        return asdict(self)


@dataclass(frozen=True)
class Result:
    """A training job as far as it has come; `value` is its final objective, None where it has none (yet)."""

    trial: Trial
    training_job: dict[str, Any]

    @property
    def status(self) -> str:
        return self.training_job["TrainingJobStatus"]

    @property
    def ended(self) -> bool:
        return self.status not in OPEN

    @property
    def value(self) -> float | None:
        if self.status not in ("Completed", "Stopped"):
            return None
        metrics = self.training_job.get("FinalMetricDataList", [])
        return next((entry["Value"] for entry in metrics if entry["MetricName"] == self.trial.metric), None)

    @property
    def objective_status(self) -> str:
        if not self.ended:
            return "Pending"
        return "Failed" if self.value is None else "Succeeded"

    def summary(self) -> dict[str, Any]:
        """The HyperParameterTrainingJobSummary of the training job."""
        summary = {key: self.training_job[key] for key in _COPIED if key in self.training_job}
        summary |= {
            "TrainingJobStatus": self.status,
            "TunedHyperParameters": self.trial.hyperparameters,
            "ObjectiveStatus": self.objective_status,
        }
        if self.trial.definition is not None:
            summary["TrainingJobDefinitionName"] = self.trial.definition
        if self.value is not None:
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
                "Type": "Maximize" if self.trial.maximize else "Minimize",
                "MetricName": self.trial.metric,
                "Value": self.value,
            }
        return summary


def results(cloud: Cloud, tuning_job: dict[str, Any]) -> list[Result]:
    """The training jobs of a tuning job in the order they were launched, but for those that were deleted."""
    found = ((Trial(**stored), cloud.store.find(KIND, stored["name"])) for stored in tuning_job["_Trials"])
    return [Result(trial, training_job) for trial, training_job in found if training_job is not None]


def progress(found: Sequence[Result]) -> dict[str, Any]:
    """TrainingJobStatusCounters, ObjectiveStatusCounters and BestTrainingJob of a tuning job's description."""
    statuses = [result.status for result in found]
    objectives = [result.objective_status for result in found]
    described: dict[str, Any] = {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": sum(status in OPEN for status in statuses),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {
            "Succeeded": objectives.count("Succeeded"),
            "Pending": objectives.count("Pending"),
            "Failed": objectives.count("Failed"),
        },
    }
    best_of_all = best(found)
    if best_of_all is not None:
        described["BestTrainingJob"] = best_of_all.summary()
    return described


def best(found: Sequence[Result]) -> Result | None:
    """The training job with the best final objective, the earliest of equals; None where none has one."""
    scored = [(result, result.value) for result in found if result.value is not None]
    if not scored:
        return None
    return max(scored, key=lambda one: one[1] if one[0].trial.maximize else -one[1])[0]


def finished_values(found: Sequence[Result]) -> list[float]:
    """The final objectives in the order in which the training jobs ended."""
    ended = sorted(
        (result for result in found if result.value is not None),
        key=lambda result: result.training_job["TrainingEndTime"],
    )
    return [result.value for result in ended if result.value is not None]


def training_request(
    definition: TrainingDefinition, name: str, hyperparameters: dict[str, str], tags: list[dict[str, str]]
) -> dict[str, Any]:
    """CreateTrainingJob's request for one trial: static and tuned hyperparameters together, all of them strings."""
    template = {key: value for key, value in definition.template.items() if key not in _OWN}
    if "ResourceConfig" not in template:
        template["ResourceConfig"] = _resources(definition.template["HyperParameterTuningResourceConfig"])
    return {
        **template,
        "TrainingJobName": name,
        "HyperParameters": {
            **definition.template.get("StaticHyperParameters", {}),
            **hyperparameters,
            "_tuning_objective_metric": definition.objective.metric,
        },
        **({"Tags": tags} if tags else {}),
    }


_OWN = (
    "DefinitionName",
    "TuningObjective",
    "HyperParameterRanges",
    "StaticHyperParameters",
    "HyperParameterTuningResourceConfig",
)


def _resources(flexible: dict[str, Any]) -> dict[str, Any]:
    """The first choice among the instances that a definition allows."""
    chosen = {**flexible, **(flexible.get("InstanceConfigs") or [{}])[0]}
    return {key: value for key, value in chosen.items() if key not in ("InstanceConfigs", "AllocationStrategy")}
