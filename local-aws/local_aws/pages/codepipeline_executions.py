"""One execution of a pipeline: what started it, which commits it has, how far it is; to be stopped or carried on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from local_aws.pages import codepipeline_stages, codepipelines
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status

_SERVICE = "codepipeline"
_KIND = "codepipeline_execution"
_PAGE = 100


@page("/_local/pipelines/<name>/executions/<execution_id>")
def pipeline_execution(visit: Visit, name: str, execution_id: str) -> Response:
    """An execution with its stages."""
    declared = codepipelines.declaration(visit, name)
    execution = _found(visit, name, execution_id)
    details = codepipelines.details_of(visit, name, execution_id)
    state = visit.cloud.call(_SERVICE, "GetPipelineState", {"name": name})
    waiting = [
        each for each in codepipeline_stages.approvals(state, lambda _: details) if each.execution_id == execution_id
    ]
    stages = codepipeline_stages.of_execution(visit, declared, details)
    status = Status.of(execution["status"])
    return visit.show(
        "pipeline_execution.html",
        title=f"{name} {execution_id[:8]}",
        name=name,
        execution=execution,
        execution_id=execution_id,
        status=status,
        stages=stages,
        approvals=waiting,
        typing=bool(waiting),
        started_by=_started_by(execution.get("trigger", {})),
        failed=[stage.name for stage in stages if stage.status.tone == "bad"] if not status.moving else [],
        details=details,
        with_executions=lambda text: codepipelines.with_executions(visit, name, text),
        moving=status.moving,
    )


@page("/_local/pipelines/<name>/executions/<execution_id>/stop", method="POST")
def stop_execution(visit: Visit, name: str, execution_id: str) -> Response:
    """Stop an execution once its actions have ended, or abandon them."""
    _found(visit, name, execution_id)
    request = {
        "pipelineName": name,
        "pipelineExecutionId": execution_id,
        "abandon": visit.request.form.get("abandon") == "yes",
        "reason": "Stopped on the page of the local cloud",
    }
    visit.cloud.call(_SERVICE, "StopPipelineExecution", request)
    return visit.go(visit.path(pipeline_execution, name=name, execution_id=execution_id))


@page("/_local/pipelines/<name>/executions/<execution_id>/retry", method="POST")
def retry_stage(visit: Visit, name: str, execution_id: str) -> Response:
    """Run the failed actions of a stage again."""
    _found(visit, name, execution_id)
    request = {
        "pipelineName": name,
        "pipelineExecutionId": execution_id,
        "stageName": visit.request.form["stage"],
        "retryMode": "FAILED_ACTIONS",
    }
    visit.cloud.call(_SERVICE, "RetryStageExecution", request)
    return visit.go(visit.path(pipeline_execution, name=name, execution_id=execution_id))


def _started_by(trigger: Mapping[str, Any]) -> str:
    """What started an execution: the type of the trigger, and the branch that was pushed or whatever it tells."""
    kind, detail = trigger.get("triggerType", ""), trigger.get("triggerDetail", "")
    try:
        push = json.loads(detail)
        detail = f"{push['FullRepositoryName']} {push['BranchName']}"
    except (ValueError, TypeError, KeyError):
        pass
    return f"{kind} · {detail}" if detail else str(kind)


def _found(visit: Visit, name: str, execution_id: str) -> dict[str, Any]:
    codepipelines.declaration(visit, name)
    row = visit.cloud.store.find(_KIND, execution_id)
    if row is None or row["pipelineName"] != name:
        there = [
            Link(
                each["pipelineExecutionId"],
                visit.path(pipeline_execution, name=name, execution_id=each["pipelineExecutionId"]),
            )
            for each in codepipelines.history(visit, name)
        ]
        raise NotThere(f"Pipeline {name} has no execution {execution_id}.", there)
    summaries = codepipelines.history(visit, name, _PAGE)
    summary = next((each for each in summaries if each["pipelineExecutionId"] == execution_id), {})
    request = {"pipelineName": name, "pipelineExecutionId": execution_id}
    return {**summary, **visit.cloud.call(_SERVICE, "GetPipelineExecution", request)["pipelineExecution"]}
