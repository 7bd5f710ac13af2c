"""Whether a declared pipeline hangs together: its stages, the artifacts that go between them, triggers and variables.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-requirements.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import action_types, declaration, glob_pattern, variables
from local_aws.codepipeline.declaration import Action, Pipeline, Stage
from local_aws.codepipeline.refusals import invalid_action, invalid_stage, invalid_structure
from local_aws.codepipeline.roles import SERVICE
from local_aws.errors import AwsError
from local_aws.iam import sessions

_MOST_ACTIONS = 50
_CONDITIONS = ("beforeEntry", "onSuccess")


def check(cloud: Cloud, raw: Mapping[str, Any]) -> Pipeline:
    """The pipeline that a declaration describes; raises `AwsError` for the first rule it breaks."""
    _check_store(cloud, raw)
    _check_type(raw)
    _check_not_carried_out(raw)
    pipeline = declaration.read(raw)
    _check_stages(pipeline)
    for action in pipeline.actions:
        action_types.check(action, cloud.settings.region)
    _check_artifacts(pipeline)
    _check_variables(pipeline, raw)
    _check_triggers(pipeline, raw.get("triggers", []))
    _check_failure_results(pipeline, raw)
    _check_roles(cloud, pipeline)
    return pipeline


def _check_store(cloud: Cloud, raw: Mapping[str, Any]) -> None:
    stores = raw.get("artifactStores")
    if ("artifactStore" in raw) == (stores is not None):
        raise invalid_structure("A pipeline must have either artifactStore or artifactStores, and not both")
    if stores is not None and set(stores) != {cloud.settings.region}:
        raise invalid_structure(
            f"artifactStores must name the region of the pipeline, {cloud.settings.region}, and local-aws has no other"
        )


def _check_type(raw: Mapping[str, Any]) -> None:
    if raw.get("pipelineType", "V1") != "V1":
        return
    if raw.get("triggers"):
        raise invalid_structure("Pipeline of type V1 cannot have triggers: set pipelineType to V2")
    if raw.get("variables"):
        raise invalid_structure("Pipeline of type V1 cannot have variables: set pipelineType to V2")
    if raw.get("executionMode", declaration.SUPERSEDED) != declaration.SUPERSEDED:
        raise invalid_structure(
            f"Pipeline of type V1 cannot have execution mode {raw['executionMode']}: set pipelineType to V2"
        )
    for stage in raw["stages"]:
        if stage.get("onFailure") or any(stage.get(name) for name in _CONDITIONS):
            raise invalid_structure(
                f"Pipeline of type V1 cannot have conditions or onFailure in stage '{stage['name']}': set pipelineType "
                "to V2"
            )


def _check_not_carried_out(raw: Mapping[str, Any]) -> None:
    for stage in raw["stages"]:
        named = [name for name in _CONDITIONS if stage.get(name)]
        named += ["onFailure.conditions"] if stage.get("onFailure", {}).get("conditions") else []
        if named:
            raise invalid_stage(f"Stage '{stage['name']}' has {named[0]}: conditions are not carried out by local-aws")
        if stage.get("blockers"):
            raise invalid_structure(f"Stage '{stage['name']}' has blockers, which are reserved for future use")
        for action in stage["actions"]:
            for name in ("commands", "outputVariables", "environmentVariables"):
                if action.get(name):
                    raise invalid_action(
                        f"Action '{action['name']}' has {name}, which only actions of category Compute may have; they "
                        "are not carried out by local-aws"
                    )


def _check_stages(pipeline: Pipeline) -> None:
    if len(pipeline.stages) < 2:
        raise invalid_structure(
            f"Pipeline has only {len(pipeline.stages)} stage(s). There should be a minimum of 2 stages in a pipeline"
        )
    _check_unique((stage.name for stage in pipeline.stages), "Stage name '{}' must be unique within the pipeline")
    for stage in pipeline.stages:
        _check_stage(stage)
    first, *others = pipeline.stages
    if any(action.type.category != "Source" for action in first.actions):
        raise invalid_structure("Pipeline should start with a stage that only contains source actions")
    for stage in others:
        for action in stage.actions:
            if action.type.category == "Source":
                raise invalid_structure(
                    f"Action '{action.name}' in stage '{stage.name}' is a source action: only the first stage may have "
                    "source actions"
                )


def _check_stage(stage: Stage) -> None:
    if not stage.actions:
        raise invalid_stage(f"Stage '{stage.name}' must have at least one action")
    if len(stage.actions) > _MOST_ACTIONS:
        raise invalid_stage(f"Stage '{stage.name}' has {len(stage.actions)} actions, at most {_MOST_ACTIONS} may be")
    names = [action.name for action in stage.actions]
    for name in names:
        if names.count(name) > 1:
            raise invalid_stage(f"Action name '{name}' must be unique within stage '{stage.name}'")


def _check_unique(names: Iterable[str], message: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise invalid_structure(message.format(name))
        seen.add(name)


def _check_artifacts(pipeline: Pipeline) -> None:
    _check_unique(
        (name for action in pipeline.actions for name in action.outputs),
        "Output Artifact Bundle name must be unique within the pipeline. {} has been used more than once",
    )
    made: set[str] = set()
    for stage in pipeline.stages:
        for group in stage.groups:
            for action in group:
                for name in action.inputs:
                    if name not in made:
                        raise invalid_structure(
                            f"Input Artifact Bundle {name} in action {action.name} is not declared as Output Artifact "
                            "Bundle in any of the preceding actions"
                        )
            made |= {name for action in group for name in action.outputs}


def _check_variables(pipeline: Pipeline, raw: Mapping[str, Any]) -> None:
    _check_unique((item["name"] for item in raw.get("variables", [])), "Pipeline variable '{}' is declared twice")
    _check_unique(
        (action.namespace for action in pipeline.actions if action.namespace),
        "Namespace '{}' must be unique within the pipeline",
    )
    offered = {variables.EXECUTION, variables.PIPELINE}
    for stage in pipeline.stages:
        for group in stage.groups:
            for action in group:
                _check_references(pipeline, action, offered)
            offered |= {action.namespace for action in group if action.namespace}


def _check_references(pipeline: Pipeline, action: Action, offered: set[str]) -> None:
    if action.namespace in (variables.EXECUTION, variables.PIPELINE):
        raise invalid_action(f"Action '{action.name}' uses the reserved namespace '{action.namespace}'")
    for key, text in action.configuration.items():
        try:
            found = list(variables.references(text))
        except ValueError as error:
            raise invalid_action(
                "Valid format for a pipeline execution variable reference is a namespace and a key separated by a "
                f"period (.): '{key}' of action '{action.name}' has {error}"
            ) from error
        for namespace, name in found:
            if namespace not in offered:
                raise invalid_action(
                    f"'{key}' of action '{action.name}' refers to #{{{namespace}.{name}}}, but no preceding action has "
                    f"the namespace '{namespace}'"
                )
            if namespace == variables.PIPELINE and name not in pipeline.variables:
                raise invalid_action(
                    f"'{key}' of action '{action.name}' refers to #{{{namespace}.{name}}}, but the pipeline declares "
                    f"no variable '{name}'"
                )


def _check_triggers(pipeline: Pipeline, triggers: list[dict[str, Any]]) -> None:
    sources = {action.name: action for action in pipeline.sources}
    named = [trigger["gitConfiguration"]["sourceActionName"] for trigger in triggers]
    _check_unique(named, "Source action '{}' has more than one trigger")
    for trigger in triggers:
        configuration = trigger["gitConfiguration"]
        name = configuration["sourceActionName"]
        if name not in sources:
            raise invalid_structure(
                f"Trigger names the source action '{name}', the pipeline has: {', '.join(sources) or 'none'}"
            )
        if sources[name].type.provider != trigger["providerType"]:
            raise invalid_structure(
                f"Trigger of type {trigger['providerType']} names the source action '{name}', which is of provider "
                f"{sources[name].type.provider}"
            )
        for push in configuration.get("push", []):
            _check_patterns(name, push)
            if "tags" in push and ("branches" in push or "filePaths" in push):
                raise invalid_structure(
                    f"Trigger of source action '{name}' filters a push by tags and by branches or file paths: tags "
                    "must be alone"
                )
            if "filePaths" in push and "branches" not in push:
                raise invalid_structure(
                    f"Trigger of source action '{name}' filters a push by file paths without branches: branches must "
                    "be given"
                )


def _check_patterns(source: str, push: Mapping[str, Any]) -> None:
    for member in ("branches", "filePaths", "tags"):
        criteria = push.get(member, {})
        for pattern in (*criteria.get("includes", ()), *criteria.get("excludes", ())):
            try:
                glob_pattern.matches(pattern, "")
            except glob_pattern.InvalidPattern as error:
                raise invalid_structure(f"Trigger of source action '{source}', {member}: {error}") from error


def _check_failure_results(pipeline: Pipeline, raw: Mapping[str, Any]) -> None:
    for stage, item in zip(pipeline.stages, raw["stages"], strict=True):
        if stage.on_failure == "SKIP":
            raise invalid_stage(f"Stage '{stage.name}' cannot have onFailure SKIP")
        if stage.on_failure != "ROLLBACK":
            if stage.on_failure != "RETRY" and "retryConfiguration" in item.get("onFailure", {}):
                raise invalid_stage(f"Stage '{stage.name}' has retryConfiguration without onFailure RETRY")
            continue
        if pipeline.execution_mode == declaration.PARALLEL:
            raise invalid_structure(
                f"Stage '{stage.name}' cannot have onFailure ROLLBACK: stage rollback is not available in PARALLEL mode"
            )
        if stage is pipeline.stages[0]:
            raise invalid_structure(f"Source stage '{stage.name}' cannot have onFailure ROLLBACK")


def _check_roles(cloud: Cloud, pipeline: Pipeline) -> None:
    """CodePipeline must be let in by the pipeline's role; roles of actions are assumed by that role in turn."""
    try:
        sessions.principal(cloud, pipeline.role_arn, "check", SERVICE)
    except AwsError as error:
        raise invalid_structure(
            f"CodePipeline is not authorized to perform AssumeRole on role {pipeline.role_arn}: {error.message}"
        ) from error
