"""Pipelines of CodePipeline: their stages as they move, their executions, and what a person may start or open."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup
from werkzeug.wrappers import Response

from local_aws.pages import codepipeline_stages
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status

_KIND = "codepipeline"
_SERVICE = "codepipeline"
_SHOWN_EXECUTIONS = 30
_MOST_DETAILS = 100
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


@page("/_local/pipelines/<name>")
def pipeline(visit: Visit, name: str) -> Response:
    """A pipeline with its stages and executions."""
    declared = declaration(visit, name)
    call = visit.cloud.call
    state = call(_SERVICE, "GetPipelineState", {"name": name})
    details = call(_SERVICE, "ListActionExecutions", {"pipelineName": name, "maxResults": _MOST_DETAILS})[
        "actionExecutionDetails"
    ]
    executions = history(visit, name)
    stages = codepipeline_stages.of_pipeline(visit, declared, state, details)
    waiting = codepipeline_stages.approvals(state, lambda execution_id: details_of(visit, name, execution_id))
    return visit.show(
        "pipeline.html",
        title=name,
        name=name,
        declared=declared,
        stages=stages,
        approvals=waiting,
        executions=executions,
        with_executions=lambda text: with_executions(visit, name, text),
        typing=bool(waiting),
        moving=any(Status.of(row["status"]).moving for row in executions),
    )


@page("/_local/pipelines/<name>/start", method="POST")
def start(visit: Visit, name: str) -> Response:
    """Release a change: run the newest commit through the pipeline."""
    declaration(visit, name)
    visit.cloud.call(_SERVICE, "StartPipelineExecution", {"name": name})
    return visit.go(visit.path(pipeline, name=name))


@page("/_local/pipelines/<name>/stages/<stage>/open", method="POST")
def open_stage(visit: Visit, name: str, stage: str) -> Response:
    """Let executions enter a stage again."""
    declaration(visit, name)
    request = {"pipelineName": name, "stageName": stage, "transitionType": "Inbound"}
    visit.cloud.call(_SERVICE, "EnableStageTransition", request)
    return visit.go(visit.path(pipeline, name=name))


def declaration(visit: Visit, name: str) -> dict[str, Any]:
    """The declaration of a pipeline; raises `NotThere` naming those there are."""
    if visit.cloud.store.find(_KIND, name) is None:
        there = [Link(each, visit.path(pipeline, name=each)) for each in names(visit)]
        raise NotThere(f"There is no pipeline named {name}.", there)
    return visit.cloud.call(_SERVICE, "GetPipeline", {"name": name})["pipeline"]


def names(visit: Visit) -> list[str]:
    """The names of all pipelines."""
    if not visit.cloud.store.all(_KIND):
        return []
    return [row["name"] for row in visit.cloud.call(_SERVICE, "ListPipelines", {})["pipelines"]]


def history(visit: Visit, name: str, most: int = _SHOWN_EXECUTIONS) -> list[dict[str, Any]]:
    """The newest executions of a pipeline as ListPipelineExecutions summarizes them."""
    request = {"pipelineName": name, "maxResults": most}
    return visit.cloud.call(_SERVICE, "ListPipelineExecutions", request)["pipelineExecutionSummaries"]


def details_of(visit: Visit, name: str, execution_id: str) -> list[dict[str, Any]]:
    """The ActionExecutionDetails of an execution, newest first."""
    request = {"pipelineName": name, "filter": {"pipelineExecutionId": execution_id}, "maxResults": _MOST_DETAILS}
    return visit.cloud.call(_SERVICE, "ListActionExecutions", request)["actionExecutionDetails"]


def with_executions(visit: Visit, name: str, text: str) -> Markup:
    """A text in which the ids of the pipeline's executions, short as the pages show them, lead to them."""
    parts, end = [], 0
    for match in _UUID.finditer(text):
        row = visit.cloud.store.find("codepipeline_execution", match.group())
        if row is not None and row["pipelineName"] == name:
            path = visit.addresses.build("pipeline_execution", {"name": name, "execution_id": match.group()})
            link = Markup('<a href="{}">{}</a>').format(path, match.group()[:8])
            parts += [Markup.escape(text[end : match.start()]), link]
            end = match.end()
    return Markup("").join([*parts, Markup.escape(text[end:])])
