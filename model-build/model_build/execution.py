"""One execution of the pipeline: brought up to date, started, watched and stopped through plain boto3.
What AWS answers is parsed here into steps and trials; nothing beyond this module sees its JSON."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

ENDED = frozenset({"Succeeded", "Failed", "Stopped"})


@dataclass(frozen=True)
class Trial:
    """One training job of the tuning job."""

    name: str
    status: str
    hyperparameters: Mapping[str, str]
    objective: float | None
    failure_reason: str


@dataclass(frozen=True)
class Step:
    """One step of the execution; `job` is the name of its processing or tuning job once it has one."""

    name: str
    status: str
    job: str
    cached_from: str
    failure_reason: str
    seconds: float | None
    trials: tuple[Trial, ...] = field(default=())

    @property
    def cached(self) -> bool:
        return bool(self.cached_from)


@dataclass(frozen=True)
class Execution:
    """The state of an execution at one moment."""

    arn: str
    status: str
    failure_reason: str
    steps: tuple[Step, ...]

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)


def put_pipeline(sagemaker: Any, name: str, definition: str, role_arn: str) -> bool:
    """Create the pipeline or update it; True if it is new."""
    pipeline = {"PipelineName": name, "PipelineDefinition": definition, "RoleArn": role_arn}
    try:
        sagemaker.describe_pipeline(PipelineName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        sagemaker.create_pipeline(**pipeline, ClientRequestToken=str(uuid.uuid4()))
        return True
    sagemaker.update_pipeline(**pipeline)
    return False


def start(sagemaker: Any, name: str, parameters: Mapping[str, str], description: str) -> str:
    """Start an execution with these parameter values; returns its ARN."""
    answer = sagemaker.start_pipeline_execution(
        PipelineName=name,
        PipelineParameters=[{"Name": key, "Value": value} for key, value in parameters.items()],
        PipelineExecutionDescription=description,
        ClientRequestToken=str(uuid.uuid4()),
    )
    return str(answer["PipelineExecutionArn"])


def watch(
    sagemaker: Any, arn: str, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
) -> Iterator[Execution]:
    """Yield the state of the execution again and again, the last one when it has ended.

    Half a second apart at first, five after two minutes: a rehearsal takes seconds, a job on AWS minutes.
    """
    began = clock()
    while True:
        execution = look(sagemaker, arn)
        yield execution
        if execution.ended:
            return
        sleep(min(5.0, 0.5 + (clock() - began) / 25))


def look(sagemaker: Any, arn: str) -> Execution:
    """Read the state of the execution, its steps and the trials of its tuning job."""
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    steps = tuple(sorted((_step(sagemaker, raw) for raw in _steps(sagemaker, arn)), key=lambda step: step[0]))
    return Execution(
        arn=arn,
        status=described["PipelineExecutionStatus"],
        failure_reason=described.get("FailureReason", ""),
        steps=tuple(step for _, step in steps),
    )


def stop(sagemaker: Any, arn: str) -> None:
    """Ask for the execution to be stopped, with its jobs."""
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))


def _steps(sagemaker: Any, arn: str) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def _step(sagemaker: Any, raw: dict[str, Any]) -> tuple[float, Step]:
    cached_from = raw.get("CacheHitResult", {}).get("SourcePipelineExecutionArn", "")
    metadata = raw.get("Metadata", {})
    if cached_from and not metadata:
        earlier = next((step for step in _steps(sagemaker, cached_from) if step["StepName"] == raw["StepName"]), {})
        metadata = earlier.get("Metadata", {})
    tuning_job = _name(metadata.get("TuningJob", {}))
    started, ended = raw.get("StartTime"), raw.get("EndTime")
    return (
        started.timestamp() if started else float("inf"),
        Step(
            name=raw["StepName"],
            status=raw["StepStatus"],
            job=tuning_job or _name(metadata.get("ProcessingJob", {})),
            cached_from=cached_from,
            failure_reason=raw.get("FailureReason", ""),
            seconds=(ended - started).total_seconds() if started and ended else None,
            trials=_trials(sagemaker, tuning_job) if tuning_job else (),
        ),
    )


def _name(job: Mapping[str, str]) -> str:
    return job.get("Arn", "").rpartition("/")[2]


def _trials(sagemaker: Any, tuning_job: str) -> tuple[Trial, ...]:
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=tuning_job, SortBy="CreationTime", SortOrder="Ascending"
    )
    return tuple(_trial(raw) for page in pages for raw in page["TrainingJobSummaries"])


def _trial(raw: dict[str, Any]) -> Trial:
    objective = raw.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    return Trial(
        name=raw["TrainingJobName"],
        status=raw["TrainingJobStatus"],
        hyperparameters={key: value.strip('"') for key, value in raw.get("TunedHyperParameters", {}).items()},
        objective=float(objective) if objective is not None else None,
        failure_reason=raw.get("FailureReason", ""),
    )
