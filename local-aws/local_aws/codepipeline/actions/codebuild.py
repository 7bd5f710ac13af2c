"""Build and test by CodeBuild: starts a build on the input artifacts and waits for its end.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.codebuild import pipeline_build
from local_aws.codebuild.pipeline_build import PipelineBuild
from local_aws.codepipeline import execution_record
from local_aws.codepipeline.actions import build_failure
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun, provider
from local_aws.iam import authorization

_TYPES = ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")
_KIND = "codebuild_build"


@provider("Build", "CodeBuild")
@provider("Test", "CodeBuild")
def build(run: ActionRun) -> ActionResult:
    """Run the build; raises `ActionFailed` naming the phase that failed and why.

    A build whose action is given up goes on to its own end, as CodeBuild continues what an abandoned action began:
    https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
    """
    cloud = run.cloud
    project = run.configuration["ProjectName"]
    primary = run.configuration.get("PrimarySource") or next(iter(run.inputs))
    for operation in ("StartBuild", "BatchGetBuilds"):
        authorization.require(cloud, f"codebuild:{operation}", cloud.arn(f"project/{project}", "codebuild"))
    build_id = pipeline_build.start(
        cloud,
        PipelineBuild(
            project=project,
            inputs=tuple(run.inputs.values()),
            primary=primary,
            outputs=tuple(run.outputs.values()),
            environment=_environment(run.configuration.get("EnvironmentVariables", "[]")),
            initiator=f"codepipeline/{run.pipeline}",
            source_version=_revision(run, primary),
        ),
    )
    url = f"{cloud.settings.endpoint_url}/_local/builds/{build_id}"
    run.report(externalExecutionId=build_id, externalExecutionUrl=url)
    body = cloud.store.wait(_KIND, build_id, lambda body: body["buildComplete"] or run.stopping.is_set())
    if not body["buildComplete"]:
        raise ActionFailed(f"Build {build_id} goes on: it is not waited for any more.")
    if body["buildStatus"] != "SUCCEEDED":
        raise ActionFailed(build_failure.told(cloud, body))
    exported = {item["name"]: item.get("value", "") for item in body.get("exportedEnvironmentVariables", [])}
    return ActionResult(variables=exported, external_execution_id=build_id)


def _environment(text: str) -> tuple[dict[str, str], ...]:
    """The configuration's EnvironmentVariables, a JSON list of name, value and type; raises `ActionFailed`."""
    try:
        variables = json.loads(text)
    except ValueError as error:
        raise ActionFailed(f"EnvironmentVariables is no JSON: {error}", "ConfigurationError") from error
    if not isinstance(variables, list):
        raise ActionFailed("EnvironmentVariables is no JSON list", "ConfigurationError")
    return tuple(_variable(item) for item in variables)


def _variable(item: Any) -> dict[str, str]:
    if not isinstance(item, dict) or not item.get("name") or not isinstance(item.get("value"), str):
        raise ActionFailed(
            f"EnvironmentVariables has {json.dumps(item)}, which is no object with a name and a value that is text",
            "ConfigurationError",
        )
    unknown = sorted(item.keys() - {"name", "value", "type"})
    kind = item.get("type", "PLAINTEXT")
    if unknown or kind not in _TYPES:
        what = f"the unknown member '{unknown[0]}'" if unknown else f"the type '{kind}'"
        raise ActionFailed(
            f"EnvironmentVariables: '{item['name']}' has {what}; types are {', '.join(_TYPES)}", "ConfigurationError"
        )
    return {"name": item["name"], "value": item["value"], "type": kind}


def _revision(run: ActionRun, artifact: str) -> str:
    """The commit that an artifact holds, where a source action made it."""
    body = execution_record.find(run.cloud, run.pipeline, run.execution_id)
    return str(body["_artifacts"][artifact].get("revision", ""))
