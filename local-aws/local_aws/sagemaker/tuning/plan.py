"""What a tuning job was asked to do, read from CreateHyperParameterTuningJob and refused where AWS refuses it.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from local_aws.errors import validation_error
from local_aws.sagemaker.metrics import MetricReader
from local_aws.sagemaker.tuning import ranges
from local_aws.sagemaker.tuning.completion import Criteria
from local_aws.sagemaker.tuning.ranges import CategoricalRange, Range
from local_aws.sagemaker.tuning.resource import Resource

_MOST_HYPERPARAMETERS = 100
# The number of training jobs where only the runtime limits them: the quota of a tuning job on AWS.
_MOST_TRAINING_JOBS = 750


@dataclass(frozen=True)
class Objective:
    """The metric that is tuned, and whether more of it is better."""

    metric: str
    maximize: bool


@dataclass(frozen=True)
class TrainingDefinition:
    """The training jobs of one kind: what is fixed (`template`, a definition of the API) and what is searched."""

    name: str | None
    objective: Objective
    ranges: tuple[Range, ...]
    template: dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How many training jobs, how many of them at once, and for how long (None: without end)."""

    jobs: int
    parallel: int
    seconds: int | None


@dataclass(frozen=True)
class Plan:
    """A tuning job: strategy, definitions of training jobs, limits, and when to stop a training job or all of it."""

    strategy: str
    definitions: tuple[TrainingDefinition, ...]
    limits: Limits
    criteria: Criteria
    seed: int | None
    early_stopping: bool
    resource: Resource | None


def parse(request: dict[str, Any]) -> Plan:
    """The plan of a request; raises `AwsError` (ValidationException) naming the first rule it breaks."""
    config = request["HyperParameterTuningJobConfig"]
    definitions = _definitions(request, config)
    strategy = config["Strategy"]
    early_stopping = config.get("TrainingJobEarlyStoppingType", "Off") == "Auto"
    if strategy == "Hyperband" and early_stopping:
        raise validation_error(
            "TrainingJobEarlyStoppingType must be Off for the Hyperband strategy, which stops training jobs itself"
        )
    if strategy != "Hyperband" and "StrategyConfig" in config:
        raise validation_error(f"HyperbandStrategyConfig can be given for the Hyperband strategy only, not {strategy}")
    return Plan(
        strategy=strategy,
        definitions=definitions,
        limits=_limits(config, definitions),
        criteria=Criteria.parse(config.get("TuningJobCompletionCriteria", {})),
        seed=config.get("RandomSeed"),
        early_stopping=early_stopping,
        resource=Resource.parse(config, definitions[0].template) if strategy == "Hyperband" else None,
    )


def _definitions(request: dict[str, Any], config: dict[str, Any]) -> tuple[TrainingDefinition, ...]:
    one, several = request.get("TrainingJobDefinition"), request.get("TrainingJobDefinitions")
    if (one is None) == (not several):
        raise validation_error("Exactly one of TrainingJobDefinition and TrainingJobDefinitions must be given")
    autotune = "Autotune" in request
    if one is not None:
        if "HyperParameterTuningJobObjective" not in config:
            raise validation_error("HyperParameterTuningJobObjective is required with TrainingJobDefinition")
        objective = config["HyperParameterTuningJobObjective"]
        return (_definition(one, objective, config.get("ParameterRanges", {}), config["Strategy"], autotune),)
    misplaced = [key for key in ("HyperParameterTuningJobObjective", "ParameterRanges") if key in config]
    if misplaced:
        raise validation_error(f"With TrainingJobDefinitions each has its own; remove {', '.join(misplaced)}")
    if "WarmStartConfig" in request:
        raise validation_error("WarmStartConfig cannot be given with TrainingJobDefinitions")
    parsed = []
    for definition in several or []:
        missing = [
            key for key in ("DefinitionName", "TuningObjective", "HyperParameterRanges") if key not in definition
        ]
        if missing:
            raise validation_error(f"Each of TrainingJobDefinitions needs {', '.join(missing)}")
        parsed.append(
            _definition(
                definition,
                definition["TuningObjective"],
                definition["HyperParameterRanges"],
                config["Strategy"],
                autotune,
            )
        )
    names = [definition.name for definition in parsed]
    if len(set(names)) < len(names):
        raise validation_error(f"DefinitionName must be unique within a tuning job: {', '.join(map(str, names))}")
    if len({definition.objective.maximize for definition in parsed}) > 1:
        raise validation_error("All TrainingJobDefinitions must have the same Type of TuningObjective")
    return tuple(parsed)


def _definition(
    template: dict[str, Any],
    objective: dict[str, Any],
    parameter_ranges: dict[str, Any],
    strategy: str,
    autotune: bool,
) -> TrainingDefinition:
    if parameter_ranges.get("AutoParameters") and not autotune:
        raise validation_error("AutoParameters can be given only where Autotune is enabled")
    parsed = ranges.parse(parameter_ranges)
    if not parsed:
        raise validation_error("At least one hyperparameter range must be given")
    static = template.get("StaticHyperParameters", {})
    both = [range_.name for range_ in parsed if range_.name in static]
    if both:
        raise validation_error(f"Hyperparameters cannot be both static and tuned: {', '.join(both)}")
    if len(static) + len(parsed) > _MOST_HYPERPARAMETERS:
        raise validation_error(
            f"{len(static)} static and {len(parsed)} tuned hyperparameters: at most {_MOST_HYPERPARAMETERS} in all"
        )
    uncountable = [range_.name for range_ in parsed if not isinstance(range_, CategoricalRange)]
    if strategy == "Grid" and uncountable:
        raise validation_error(
            f"The Grid strategy takes categorical hyperparameters only; not categorical: {', '.join(uncountable)}"
        )
    _check_metric(template, objective["MetricName"])
    _check_resources(template)
    return TrainingDefinition(
        template.get("DefinitionName"),
        Objective(objective["MetricName"], objective["Type"] == "Maximize"),
        tuple(parsed),
        template,
    )


def _check_metric(template: dict[str, Any], metric: str) -> None:
    definitions = template["AlgorithmSpecification"].get("MetricDefinitions", [])
    MetricReader(definitions)
    names = [definition["Name"] for definition in definitions]
    if metric not in names:
        raise validation_error(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            f"definitions: {metric!r} is not among {names}"
        )


def _check_resources(template: dict[str, Any]) -> None:
    if ("ResourceConfig" in template) == ("HyperParameterTuningResourceConfig" in template):
        raise validation_error("Exactly one of ResourceConfig and HyperParameterTuningResourceConfig must be given")


def _limits(config: dict[str, Any], definitions: tuple[TrainingDefinition, ...]) -> Limits:
    given = config["ResourceLimits"]
    possible = sum(ranges.combinations(list(definition.ranges)) for definition in definitions)
    jobs, parallel = given.get("MaxNumberOfTrainingJobs"), given["MaxParallelTrainingJobs"]
    if config["Strategy"] == "Grid":
        if jobs not in (None, possible):
            raise validation_error(
                f"MaxNumberOfTrainingJobs is {jobs}, but the Grid strategy runs all {possible} combinations: "
                "leave it out or give that number"
            )
    elif jobs is None and "MaxRuntimeInSeconds" not in given:
        raise validation_error(
            f"MaxNumberOfTrainingJobs or MaxRuntimeInSeconds is required for the {config['Strategy']} strategy"
        )
    elif jobs is not None and possible < jobs:
        raise validation_error(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{possible}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{jobs}]. Provide additional ranges."
        )
    if jobs is not None and parallel > jobs:
        raise validation_error(
            f"MaxParallelTrainingJobs ({parallel}) must be less than or equal to MaxNumberOfTrainingJobs ({jobs})"
        )
    most = jobs or min(possible, _MOST_TRAINING_JOBS if config["Strategy"] != "Grid" else math.inf)
    return Limits(int(most), parallel, given.get("MaxRuntimeInSeconds"))
