"""A build that CodePipeline starts: its sources and its results are artifacts of the pipeline.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_aws.codebuild import builds, overrides, projects
from local_aws.codepipeline.actions.protocol import Artifact

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


@dataclass(frozen=True)
class PipelineBuild:
    """What a build action asks for.

    `primary` names the input artifact in whose folder the buildspec is read and run. `environment` is in the shape of
    StartBuild's `environmentVariablesOverride`, with the pipeline's variables resolved. `initiator` is
    "codepipeline/<pipeline>"; `source_version` the commit of the primary source, or "".
    """

    project: str
    inputs: tuple[Artifact, ...]
    primary: str
    outputs: tuple[Artifact, ...]
    environment: tuple[Mapping[str, str], ...]
    initiator: str
    source_version: str


def start(cloud: Cloud, build: PipelineBuild) -> str:
    """Start the build; its id. Raises `AwsError` as StartBuild does.

    The primary input is CODEBUILD_SRC_DIR, every other one CODEBUILD_SRC_DIR_<name of the artifact>. One output is
    what the buildspec's `artifacts` names; several are its secondary artifacts of their names.
    """
    project = projects.find(cloud, build.project)
    if project["source"]["type"] != "CODEPIPELINE":
        raise projects.invalid(
            f"Project {project['name']} has the source type {project['source']['type']}; a project that a pipeline "
            "builds needs the type CODEPIPELINE for its source and artifacts"
        )
    primary = next((artifact for artifact in build.inputs if artifact.name == build.primary), None)
    if primary is None:
        raise projects.invalid(f"The primary source {build.primary} is none of the action's input artifacts")
    seen = overrides.applied(
        project, {"environmentVariablesOverride": [dict(variable) for variable in build.environment]}
    )
    seen["source"]["location"] = f"{primary.bucket}/{primary.key}"
    seen["sourceVersion"] = f"arn:aws:s3:::{primary.bucket}/{primary.key}"
    seen["secondarySources"] = [
        {"type": "CODEPIPELINE", "location": f"{each.bucket}/{each.key}", "sourceIdentifier": each.name}
        for each in build.inputs
        if each is not primary
    ]
    more = {
        "_outputs": [{"name": each.name, "bucket": each.bucket, "key": each.key} for each in build.outputs],
        **({"resolvedSourceVersion": build.source_version} if build.source_version else {}),
    }
    return str(builds.begin(cloud, seen, build.initiator, more)["id"])
