"""The first page: pipelines, executions, builds, endpoints and stacks, what is newest and what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from local_aws.cloudformation import stack_record
from local_aws.pages import builds, codepipeline_stages, codepipelines, connections, jobs, sagemaker_executions
from local_aws.pages.codepipeline_stages import Stage
from local_aws.pages.site import Visit, page
from local_aws.pages.statuses import Status


@dataclass(frozen=True)
class Pipeline:
    """A pipeline on the first page: its stages, and its newest execution if there is one."""

    name: str
    stages: list[Stage]
    execution: dict[str, Any] | None
    waiting: bool


@page("/_local/")
def overview(visit: Visit) -> Response:
    """Everything there is, in short."""
    cloud = visit.cloud
    pipelines = [_pipeline(visit, name) for name in codepipelines.names(visit)]
    executions = sagemaker_executions.newest(cloud, most=6)
    endpoints = cloud.store.all("endpoint")
    stacks = [body for body in cloud.store.all(stack_record.KIND) if body["StackStatus"] != stack_record.GONE]
    recent = builds.newest(cloud, 6)
    statuses = [
        *(row["PipelineExecutionStatus"] for row in executions),
        *(row["EndpointStatus"] for row in endpoints),
        *(row["buildStatus"] for row in recent),
        *(row["StackStatus"] for row in stacks),
        *(row.execution["status"] for row in pipelines if row.execution),
    ]
    recent_jobs = jobs.newest(cloud)
    moving = any(Status.of(status).moving for status in statuses) or any(job.status.moving for _, job in recent_jobs)
    return visit.show(
        "overview.html",
        title="",
        pipelines=pipelines,
        executions=executions,
        identifier=sagemaker_executions.identifier,
        builds=recent,
        endpoints=endpoints,
        stacks=stacks[::-1],
        jobs=recent_jobs,
        connections=connections.connections(cloud),
        moving=moving,
    )


@page("/")
def home(visit: Visit) -> Response:
    """The same at the address without a path."""
    return overview(visit)


def _pipeline(visit: Visit, name: str) -> Pipeline:
    declared = codepipelines.declaration(visit, name)
    state = visit.cloud.call("codepipeline", "GetPipelineState", {"name": name})
    stages = codepipeline_stages.of_pipeline(visit, declared, state, [])
    newest = codepipelines.history(visit, name, 1)
    waiting = bool(codepipeline_stages.approvals(state, lambda _: []))
    return Pipeline(name, stages, newest[0] if newest else None, waiting)
