"""Why an execution failed: the reason of each failed step or trial, and the last lines of its log.
SageMaker keeps the logs of jobs in CloudWatch, a group per kind of job, a stream per instance."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_build.execution import Execution, Step

LAST_LINES = 20
# Several trials that fail usually fail alike: the first tell enough.
TRIALS_SHOWN = 2
PROCESSING_LOGS = "/aws/sagemaker/ProcessingJobs"
TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True)
class Failure:
    """One failed step or trial."""

    where: str
    reason: str
    log: tuple[str, ...]


def failures(logs: Any, execution: Execution) -> list[Failure]:
    """Collect what failed; for a tuning step also its first failed trials, where the cause is."""
    found: list[Failure] = []
    for step in execution.steps:
        if step.status == "Failed":
            found += _of_step(logs, step)
    if not found and execution.status != "Succeeded":
        found.append(Failure("execution", execution.failure_reason or f"the execution is {execution.status}", ()))
    return found


def _of_step(logs: Any, step: Step) -> list[Failure]:
    reason = step.failure_reason or "no reason was given"
    failed = [trial for trial in step.trials if trial.status == "Failed"]
    if failed:
        trials = [
            Failure(trial.name, trial.failure_reason, _last_lines(logs, TRAINING_LOGS, trial.name))
            for trial in failed[:TRIALS_SHOWN]
        ]
        return [Failure(step.name, reason, ()), *trials]
    return [Failure(step.name, reason, _last_lines(logs, PROCESSING_LOGS, step.job) if step.job else ())]


def _last_lines(logs: Any, group: str, job: str) -> tuple[str, ...]:
    try:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        if not streams:
            return ()
        stream = streams[-1]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=LAST_LINES, startFromHead=False)[
            "events"
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return ()
        # The reason must still be told to someone who may not read logs.
        return (f"(its log cannot be read: {error.response['Error']['Code']})",)
    return tuple(event["message"].rstrip() for event in events)
