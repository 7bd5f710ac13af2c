"""Steps that run a job and wait for it: Processing, Training, Tuning and Transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.sagemaker.pipelines.expressions import evaluate
from local_aws.sagemaker.pipelines.retrying import JOB_INTERNAL_ERROR, kind_of_job_failure
from local_aws.sagemaker.pipelines.step_types import STEP_TYPES
from local_aws.sagemaker.pipelines.steps.turn import Properties, StepFailed, StepStopped, Turn
from local_aws.store import Missing

_TOP_TRAINING_JOBS = 50
_ENDED = {"Completed", "Failed", "Stopped"}


@dataclass(frozen=True)
class Job:
    """How the jobs of a step type are kept and shown: the kind in the store, members of the response, the metadata."""

    kind: str
    status: str
    arn: str
    stop: str
    metadata: str


JOBS = {
    "Processing": Job(
        "processing_job", "ProcessingJobStatus", "ProcessingJobArn", "StopProcessingJob", "ProcessingJob"
    ),
    "Training": Job("training_job", "TrainingJobStatus", "TrainingJobArn", "StopTrainingJob", "TrainingJob"),
    "Tuning": Job(
        "tuning_job",
        "HyperParameterTuningJobStatus",
        "HyperParameterTuningJobArn",
        "StopHyperParameterTuningJob",
        "TuningJob",
    ),
    "Transform": Job("transform_job", "TransformJobStatus", "TransformJobArn", "StopTransformJob", "TransformJob"),
}


def run_job(turn: Turn) -> Properties:
    """Create the step's job and wait until it has ended; answers what Describe says of it.

    Raises `StepFailed` with the job's own failure reason, and `StepStopped`.
    """
    step_type, job, name = turn.step.type, JOBS[turn.step.type.name], turn.new_name()
    arguments = evaluate(turn.step.arguments, turn.scope.named({step_type.named_by: name}))
    created = turn.call(step_type.create, {**arguments, step_type.named_by: name})
    turn.note({"Metadata": {job.metadata: {"Arn": created[job.arn]}}, "_job": {"type": step_type.name, "name": name}})
    # A stop that came while the job was being created found no job to stop.
    if turn.stopping():
        stop_job(turn.cloud, step_type.name, name)
    try:
        turn.cloud.store.wait(job.kind, name, until=lambda body: body[job.status] in _ENDED)
    except Missing as error:
        raise StepFailed(f"ClientError: the job {name} was deleted while it ran.") from error
    described = turn.call(step_type.describe, {step_type.named_by: name})
    if described[job.status] == "Stopped":
        raise StepStopped(described.get("FailureReason") or described.get("SecondaryStatus", ""))
    if described[job.status] == "Failed":
        reason = described.get("FailureReason", "")
        kind = kind_of_job_failure(reason)
        # Tuning jobs try their training jobs again by themselves.
        raise StepFailed(reason, None if step_type.name == "Tuning" and kind == JOB_INTERNAL_ERROR else kind)
    if step_type.name == "Tuning":
        described["TrainingJobSummaries"] = _best_first(turn, name, described)
    return described


def stop_job(cloud: Cloud, step_type: str, name: str) -> None:
    """Ask for a job to be stopped; one that has ended by itself in the meantime is left as it is."""
    job = JOBS[step_type]
    try:
        cloud.call("sagemaker", job.stop, {STEP_TYPES[step_type].named_by: name})
    except AwsError:
        body = cloud.store.find(job.kind, name)
        if body is not None and body[job.status] not in {*_ENDED, "Stopping"}:
            raise


def _best_first(turn: Turn, name: str, described: dict[str, Any]) -> list[dict[str, Any]]:
    """The training jobs of a tuning job by their objective: `TrainingJobSummaries[0]` is the best."""
    objective = described["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective", {})
    listed = turn.call(
        "ListTrainingJobsForHyperParameterTuningJob",
        {
            "HyperParameterTuningJobName": name,
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Ascending" if objective.get("Type") == "Minimize" else "Descending",
            "StatusEquals": "Completed",
            "MaxResults": _TOP_TRAINING_JOBS,
        },
    )
    return listed["TrainingJobSummaries"]
