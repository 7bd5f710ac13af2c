"""What CodePipeline tells EventBridge when a pipeline, a stage or an action changes its state.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

from typing import Any

from local_aws import events
from local_aws.cloud import Cloud
from local_aws.codepipeline.artifacts import located
from local_aws.store import Body

_SOURCE = "aws.codepipeline"


def pipeline(cloud: Cloud, execution: Body, state: str) -> None:
    """STARTED, RESUMED, STOPPING, STOPPED, SUCCEEDED, FAILED, SUPERSEDED or CANCELED."""
    detail: dict[str, Any] = {
        **_execution(execution),
        "execution-trigger": {
            "trigger-type": execution["trigger"]["triggerType"],
            "trigger-detail": execution["trigger"]["triggerDetail"],
        },
        "state": state,
        "start-time": _time(execution["_started"]),
    }
    failed = [action for action in execution["_actions"].values() if action["status"] == "Failed"]
    if state == "FAILED" and failed:
        detail["execution-result"] = {
            "failed-stage": failed[-1]["stageName"],
            "failed-actions": [_failure(action) for action in failed if action["stageName"] == failed[-1]["stageName"]],
        }
    _emit(cloud, execution, "Pipeline", detail)


def stage(cloud: Cloud, execution: Body, name: str, state: str) -> None:
    """STARTED, RESUMED, STOPPING, STOPPED, SUCCEEDED, FAILED or CANCELED."""
    record = execution["_stages"][name]
    detail = {
        **_execution(execution),
        "stage": name,
        "state": state,
        "start-time": _time(record["started"]),
        "stage-execution-attempt": record["attempt"],
    }
    _emit(cloud, execution, "Stage", detail)


def action(cloud: Cloud, execution: Body, action_id: str, state: str) -> None:
    """STARTED, SUCCEEDED, FAILED, or ABANDONED."""
    record = execution["_actions"][action_id]
    result = record["output"].get("executionResult", {})
    told = {
        "external-execution-id": result.get("externalExecutionId"),
        "external-execution-url": result.get("externalExecutionUrl"),
        "external-execution-summary": result.get("externalExecutionSummary"),
        "error-code": result.get("errorDetails", {}).get("code"),
        "error-message": result.get("errorDetails", {}).get("message"),
    }
    detail = {
        **_execution(execution),
        "stage": record["stageName"],
        "action": record["actionName"],
        "action-execution-id": action_id,
        "state": state,
        "start-time": _time(record["startTime"]),
        "region": record["input"]["region"],
        "type": record["input"]["actionTypeId"],
        "input-artifacts": located(record["input"]["inputArtifacts"]),
        "output-artifacts": located(record["output"].get("outputArtifacts", [])),
        "stage-execution-attempt": execution["_stages"][record["stageName"]]["attempt"],
    }
    shown = {name: value for name, value in told.items() if value}
    if shown and state != "STARTED":
        detail["execution-result"] = shown
    _emit(cloud, execution, "Action", detail)


def _execution(execution: Body) -> dict[str, Any]:
    return {
        "pipeline": execution["pipelineName"],
        "execution-id": execution["pipelineExecutionId"],
        # EventBridge's rules compare numbers as they are written: AWS sends this one with a fraction.
        "version": float(execution["pipelineVersion"]),
        "pipeline-execution-attempt": float(execution["_attempt"]),
    }


def _failure(action: Body) -> dict[str, str]:
    details = action["output"].get("executionResult", {}).get("errorDetails", {})
    return {"action": action["actionName"], "additional-information": details.get("message", "")}


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _emit(cloud: Cloud, execution: Body, subject: str, detail: dict[str, Any]) -> None:
    arn = cloud.arn(execution["pipelineName"], "codepipeline")
    events.emit(cloud, _SOURCE, f"CodePipeline {subject} Execution State Change", detail, [arn])
