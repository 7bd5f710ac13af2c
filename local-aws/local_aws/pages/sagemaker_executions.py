"""SageMaker pipelines: the executions of one, and an execution as a graph of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from local_aws.cloud import Cloud
from local_aws.pages import graph, jobs, mlflow_links
from local_aws.pages.graph import Box, Drawing, Edge
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.checks import dependencies
from local_aws.sagemaker.pipelines.definition import PipelineDefinition, Step
from local_aws.sagemaker.pipelines.schedule import SUCCEEDED, plan

_KIND = "pipeline"


@dataclass(frozen=True)
class StepState:
    """A step of the definition, and how far the execution is with it. `path` leads to its job."""

    name: str
    type: str
    status: Status
    start: datetime | None
    end: datetime | None
    path: str | None
    reason: str
    attempts: int


@dataclass(frozen=True)
class Node:
    """A step in the drawing."""

    box: Box
    step: StepState


def newest(cloud: Cloud, pipeline: str | None = None, most: int = 20) -> list[dict[str, Any]]:
    """Executions, newest first: of one pipeline or of all."""
    found = cloud.store.all(executions.KIND)
    return [body for body in reversed(found) if pipeline in (None, body["_pipeline"])][:most]


def identifier(execution: Mapping[str, Any]) -> str:
    """The last part of an execution's ARN, by which its page goes."""
    return str(execution["PipelineExecutionArn"]).rpartition("/")[2]


@page("/_local/sagemaker-pipelines/<name>")
def sagemaker_pipeline(visit: Visit, name: str) -> Response:
    """A pipeline and its executions."""
    pipeline = visit.cloud.store.find(_KIND, name)
    if pipeline is None:
        names = [body["PipelineName"] for body in visit.cloud.store.all(_KIND)]
        there = [Link(each, visit.path(sagemaker_pipeline, name=each)) for each in names]
        raise NotThere(f"There is no SageMaker pipeline named {name}.", there)
    rows = newest(visit.cloud, name, 100)
    return visit.show(
        "sagemaker_pipeline.html",
        title=name,
        pipeline=pipeline,
        executions=rows,
        identifier=identifier,
        moving=any(executions.is_executing(row) for row in rows),
    )


@page("/_local/executions/<execution_id>")
def sagemaker_execution(visit: Visit, execution_id: str) -> Response:
    """An execution: its steps as a graph, its parameters, and why it failed."""
    found = [body for body in visit.cloud.store.all(executions.KIND) if identifier(body) == execution_id]
    if not found:
        there = [
            Link(
                f"{body['_pipeline']} {identifier(body)}",
                visit.path(sagemaker_execution, execution_id=identifier(body)),
            )
            for body in newest(visit.cloud)
        ]
        raise NotThere(f"There is no execution {execution_id} of a SageMaker pipeline.", there)
    execution = found[0]
    definition = executions.definition_of(visit.cloud, execution)
    steps = step_states(visit, execution, definition)
    drawing = _drawing(definition)
    nodes = [Node(box, steps[box.name]) for box in drawing.boxes]
    return visit.show(
        "sagemaker_execution.html",
        title=f"{execution['_pipeline']} {execution_id}",
        execution=execution,
        execution_id=execution_id,
        drawing=drawing,
        nodes=nodes,
        steps=list(steps.values()),
        parameters=execution["_parameters"],
        mlflow=mlflow_links.known([mlflow_links.server(execution["_parameters"])]),
        moving=Status.of(execution["PipelineExecutionStatus"]).moving,
    )


def step_states(visit: Visit, execution: Mapping[str, Any], definition: PipelineDefinition) -> dict[str, StepState]:
    """Every step of a definition as an execution has it, in the order of the definition."""
    records = execution["_steps"]
    outcomes = {
        name: record["_properties"]["Outcome"] == "true"
        for name, record in records.items()
        if definition.steps[name].type.name == "Condition" and record["StepStatus"] == SUCCEEDED
    }
    ahead = plan(definition, {name: record["StepStatus"] for name, record in records.items()}, outcomes)
    goes_on = Status.of(execution["PipelineExecutionStatus"]).moving
    coming = {step.name for step in ahead.ready} | ahead.waiting if goes_on else set()
    return {
        name: _state(visit, step, records.get(name), "Not started" if name in coming else "Not run")
        for name, step in definition.steps.items()
    }


def _state(visit: Visit, step: Step, record: Mapping[str, Any] | None, otherwise: str) -> StepState:
    name = step.display_name or step.name
    if record is None:
        return StepState(name, step.type.name, Status(otherwise, "quiet"), None, None, None, "", 0)
    cached = "CacheHitResult" in record
    status = Status("Cached", "good") if cached else Status.of(record["StepStatus"])
    return StepState(
        name,
        step.type.name,
        status,
        record.get("StartTime"),
        record.get("EndTime"),
        jobs.path_of_arn(visit, record.get("Metadata", {})),
        record.get("FailureReason", ""),
        record.get("AttemptCount", 1),
    )


def _drawing(definition: PipelineDefinition) -> Drawing:
    edges = []
    for name, step in definition.steps.items():
        for source in dict.fromkeys(item.step for item in dependencies(step)):
            branch = step.branch if step.branch is not None and step.branch.condition == source else None
            edges.append(Edge(source, name, "" if branch is None else "if true" if branch.outcome else "else"))
    return graph.draw(list(definition.steps), edges)
