"""Creating, changing, reading and deleting pipelines."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, executions, gate, paging, structure, tags
from local_aws.operations import CODEPIPELINE

_LISTED = 1000


@CODEPIPELINE.operation("CreatePipeline")
def create_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make a pipeline, which runs once by itself; raises `AwsError` for a declaration that breaks a rule."""
    given = tags.checked(request.get("tags", []))
    structure.check(cloud, request["pipeline"])
    shown = definitions.enter(cloud, request["pipeline"], given)
    executions.start(cloud, shown["name"], "CreatePipeline", tags.caller(cloud))
    return {"pipeline": shown, "tags": given}


@CODEPIPELINE.operation("UpdatePipeline")
def update_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Give a pipeline a new declaration, as its next version.

    Executions in progress are Cancelled where the stages or the execution mode have changed, as AWS documents that
    status: https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
    """
    pipeline = request["pipeline"]
    before = definitions.find(cloud, pipeline["name"])["pipeline"]
    structure.check(cloud, pipeline)
    with cloud.store.transaction():
        shown = definitions.replace(cloud, pipeline)
        if (before["stages"], before["executionMode"]) != (shown["stages"], shown["executionMode"]):
            summary = f"Pipeline definition was updated to version {shown['version']}"
            executions.cancel_all(cloud, shown["name"], summary)
        gate.settle(cloud, shown["name"])
    return {"pipeline": shown}


@CODEPIPELINE.operation("GetPipeline")
def get_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A pipeline's declaration, the newest or that of a version."""
    body = definitions.find(cloud, request["name"])
    version = request.get("version", body["pipeline"]["version"])
    return {
        "pipeline": definitions.version_text(cloud, request["name"], version),
        "metadata": body["metadata"],
    }


@CODEPIPELINE.operation("DeletePipeline")
def delete_pipeline(cloud: Cloud, request: dict[str, Any]) -> None:
    """Delete a pipeline with its history; one that is not there is no error."""
    name = request["name"]
    with cloud.store.transaction():
        if cloud.store.find(definitions.KIND, name) is not None:
            definitions.forget(cloud, name)
            executions.forget_all(cloud, name)


@CODEPIPELINE.operation("ListPipelines")
def list_pipelines(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """All pipelines, by name."""
    rows = [
        {
            "name": body["pipeline"]["name"],
            "version": body["pipeline"]["version"],
            "pipelineType": body["pipeline"]["pipelineType"],
            "executionMode": body["pipeline"]["executionMode"],
            "created": body["metadata"]["created"],
            "updated": body["metadata"]["updated"],
        }
        for body in cloud.store.all(definitions.KIND)
    ]
    rows.sort(key=lambda row: str(row["name"]))
    return paging.page("pipelines", rows, request, _LISTED)
