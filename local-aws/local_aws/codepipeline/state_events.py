"""What CodePipeline tells EventBridge when a pipeline, a stage or an action changes its state.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws import events
from local_aws.cloud import Cloud
from local_aws.store import Body

_SOURCE = "aws.codepipeline"


def pipeline(cloud: Cloud, execution: Body, state: str) -> None:
    """STARTED, RESUMED, STOPPING, STOPPED, SUCCEEDED, FAILED, SUPERSEDED or CANCELED."""
    detail = {**_execution(execution), "state": state, "start-time": _time(execution["_started"])}
    if state == "STARTED":
        detail["execution-trigger"] = {
            "trigger-type": execution["trigger"]["triggerType"],
            "trigger-detail": execution["trigger"]["triggerDetail"],
        }
    if "_stop" in execution and execution["_stop"]["reason"]:
        detail["stop-execution-comments"] = execution["_stop"]["reason"]
    _emit(cloud, execution, "Pipeline", detail)


def stage(cloud: Cloud, execution: Body, name: str, state: str) -> None:
    """STARTED, RESUMED, STOPPED, SUCCEEDED, FAILED or CANCELED."""
    record = execution["_stages"][name]
    detail = {**_execution(execution), "stage": name, "state": state, "start-time": _time(record["started"])}
    if record["attempt"] > 1:
        detail["stage-last-retry-attempt-time"] = _time(record["started"])
    _emit(cloud, execution, "Stage", detail)


def action(cloud: Cloud, execution: Body, action_id: str, state: str) -> None:
    """STARTED, SUCCEEDED, FAILED, or ABANDONED."""
    record = execution["_actions"][action_id]
    detail = {
        **_execution(execution),
        "stage": record["stageName"],
        "action": record["actionName"],
        "action-execution-id": action_id,
        "state": state,
        "start-time": _time(record["startTime"]),
        "region": record["input"]["region"],
        "type": record["input"]["actionTypeId"],
    }
    if state == "STARTED" and record["input"]["inputArtifacts"]:
        detail["input-artifacts"] = record["input"]["inputArtifacts"]
    if state == "SUCCEEDED" and record["output"]["outputArtifacts"]:
        detail["output-artifacts"] = record["output"]["outputArtifacts"]
    result = _result(record["output"].get("executionResult", {}))
    if state in ("SUCCEEDED", "FAILED") and result:
        detail["execution-result"] = result
    _emit(cloud, execution, "Action", detail)


def _result(result: Mapping[str, Any]) -> dict[str, str]:
    """How an action ended; of one that failed the summary is its failure."""
    error = result.get("errorDetails", {})
    told = {
        "external-execution-url": result.get("externalExecutionUrl"),
        "external-execution-summary": error.get("message") or result.get("externalExecutionSummary"),
        "external-execution-id": result.get("externalExecutionId"),
        "error-code": error.get("code"),
    }
    return {name: value for name, value in told.items() if value}


def _execution(execution: Body) -> dict[str, Any]:
    return {
        "pipeline": execution["pipelineName"],
        "execution-id": execution["pipelineExecutionId"],
        # With a fraction, as AWS sends both: EventBridge's rules compare numbers as they are written.
        "version": float(execution["pipelineVersion"]),
        "pipeline-execution-attempt": float(execution["_attempt"]),
    }


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _emit(cloud: Cloud, execution: Body, subject: str, detail: dict[str, Any]) -> None:
    arn = cloud.arn(execution["pipelineName"], "codepipeline")
    events.emit(cloud, _SOURCE, f"CodePipeline {subject} Execution State Change", detail, [arn])
