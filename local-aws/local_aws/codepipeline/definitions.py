"""Pipelines as they are kept: one row with the newest declaration, and one for every version there has been.

codepipeline / <name>                    the GetPipeline response, and
    _transitions  {stage name: inboundTransitionState of a stage that was ever closed}
    _tags         [{key, value}]
codepipeline_version / <name>:<version>  {pipeline}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import declaration
from local_aws.codepipeline.declaration import Pipeline
from local_aws.codepipeline.refusals import no_pipeline, no_stage
from local_aws.errors import AwsError
from local_aws.store import Body, Exists, now

KIND, VERSION_KIND = "codepipeline", "codepipeline_version"


def find(cloud: Cloud, name: str) -> Body:
    """The row of a pipeline; raises `AwsError` (PipelineNotFoundException)."""
    body = cloud.store.find(KIND, name)
    if body is None:
        raise no_pipeline(cloud.settings.account, name)
    return body


def newest(cloud: Cloud, name: str) -> Pipeline:
    """The newest declaration of a pipeline; raises `AwsError` (PipelineNotFoundException)."""
    return declaration.read(find(cloud, name)["pipeline"])


def stage_of(cloud: Cloud, name: str, stage: str) -> declaration.Stage:
    """A stage of the newest declaration; raises `AwsError` (PipelineNotFoundException, StageNotFoundException)."""
    found = newest(cloud, name).stage(stage)
    if found is None:
        raise no_stage(name, stage)
    return found


def version_text(cloud: Cloud, name: str, version: int) -> dict[str, Any]:
    """One version of a declaration in the shape of the API; raises `AwsError` (PipelineVersionNotFoundException)."""
    body = cloud.store.find(VERSION_KIND, f"{name}:{version}")
    if body is None:
        raise AwsError(
            "PipelineVersionNotFoundException", f"Pipeline '{name}' does not have a version with id '{version}'"
        )
    return dict(body["pipeline"])


def at_version(cloud: Cloud, name: str, version: int) -> Pipeline:
    """One version of a declaration; raises `AwsError` (PipelineVersionNotFoundException)."""
    return declaration.read(version_text(cloud, name, version))


def enter(cloud: Cloud, pipeline: Mapping[str, Any], tags: list[dict[str, str]]) -> dict[str, Any]:
    """Keep a new pipeline; its declaration as version 1. Raises `AwsError` (PipelineNameInUseException)."""
    name, at = pipeline["name"], now()
    shown = {**_whole(pipeline), "version": 1}
    arn = cloud.arn(name, "codepipeline")
    with cloud.store.transaction():
        try:
            cloud.store.create(
                KIND,
                name,
                {
                    "pipeline": shown,
                    "metadata": {"pipelineArn": arn, "created": at, "updated": at},
                    "_transitions": {},
                    "_tags": tags,
                },
            )
        except Exists as error:
            raise AwsError(
                "PipelineNameInUseException", f"A pipeline with the name '{name}' already exists in account"
            ) from error
        cloud.store.put(VERSION_KIND, f"{name}:1", {"pipeline": shown})
    return shown


def replace(cloud: Cloud, pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a new version of a pipeline; the declaration with its version."""
    name = pipeline["name"]
    with cloud.store.transaction():
        body = find(cloud, name)
        shown = {**_whole(pipeline), "version": body["pipeline"]["version"] + 1}
        stages = {stage["name"] for stage in shown["stages"]}
        cloud.store.update(
            KIND,
            name,
            {
                "pipeline": shown,
                "metadata": {**body["metadata"], "updated": now()},
                "_transitions": {stage: state for stage, state in body["_transitions"].items() if stage in stages},
            },
        )
        cloud.store.put(VERSION_KIND, f"{name}:{shown['version']}", {"pipeline": shown})
    return shown


def forget(cloud: Cloud, name: str) -> None:
    """Drop a pipeline and all its versions."""
    with cloud.store.transaction():
        body = find(cloud, name)
        for version in range(1, body["pipeline"]["version"] + 1):
            if cloud.store.find(VERSION_KIND, f"{name}:{version}") is not None:
                cloud.store.delete(VERSION_KIND, f"{name}:{version}")
        cloud.store.delete(KIND, name)


def transition(body: Body, stage: str) -> dict[str, Any]:
    """`inboundTransitionState` of a stage, by the row of its pipeline."""
    return dict(body["_transitions"].get(stage, {"enabled": True}))


def _whole(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration with the members that AWS shows where they were left out."""
    stages = [
        {
            **stage,
            "actions": [
                {
                    "runOrder": 1,
                    "configuration": {},
                    "outputArtifacts": [],
                    "inputArtifacts": [],
                    **action,
                }
                for action in stage["actions"]
            ],
        }
        for stage in pipeline["stages"]
    ]
    return {"executionMode": declaration.SUPERSEDED, "pipelineType": "V1", **pipeline, "stages": stages}
