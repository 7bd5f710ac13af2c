"""AWS::CodePipeline: pipelines. What is wrong with one's structure is for the service to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request, shaped, tags_removed
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type
from local_aws.contract import service_model

_SERVICE = "codepipeline"
_ABOUT_THE_RESOURCE = {"ArtifactStores", "DisableInboundStageTransitions", "RestartExecutionOnUpdate", "Tags"}


@resource_type
class Pipeline(ResourceType):
    """A pipeline starts by itself once it is made; an update starts it only where the template says so.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
    """

    type_name = "AWS::CodePipeline::Pipeline"
    properties = frozenset(
        {
            "ArtifactStore",
            "ArtifactStores",
            "DisableInboundStageTransitions",
            "ExecutionMode",
            "Name",
            "PipelineType",
            "RestartExecutionOnUpdate",
            "RoleArn",
            "Stages",
            "Tags",
            "Triggers",
            "Variables",
        }
    )
    required = frozenset({"RoleArn", "Stages"})
    replacing = frozenset({"Name"})
    recorded = frozenset(
        {
            "ArtifactStore.EncryptionKey",
            "ArtifactStores.ArtifactStore.EncryptionKey",
            "Triggers.GitConfiguration.PullRequest",
        }
    )
    name_property = "Name"
    attribute_names = frozenset({"Arn", "Version"})
    members = {
        "ArtifactStores": frozenset({"ArtifactStore", "Region"}),
        "DisableInboundStageTransitions": frozenset({"Reason", "StageName"}),
    }

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if ("ArtifactStore" in properties) == ("ArtifactStores" in properties):
            return "Exactly one of ArtifactStore and ArtifactStores must be given."
        if not all("StageName" in _mapping(row) for row in _transitions(properties)):
            return "Every item of DisableInboundStageTransitions must have StageName and Reason."
        return None

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("Name", 100)
        tags = api_request(_SERVICE, "CreatePipeline", wanted.properties, "Tags")
        wanted.client(_SERVICE).create_pipeline(pipeline=_declaration(wanted.properties, name), **tags)
        return name

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        codepipeline = wanted.client(_SERVICE)
        for row in _transitions(wanted.properties):
            codepipeline.disable_stage_transition(
                pipelineName=physical_id,
                stageName=row["StageName"],
                transitionType="Inbound",
                reason=row.get("Reason") or "Disabled by the template.",
            )

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        codepipeline = wanted.client(_SERVICE)
        codepipeline.update_pipeline(pipeline=_declaration(wanted.properties, physical_id))
        closed = {row["StageName"] for row in _transitions(wanted.properties)}
        for stage in sorted({row["StageName"] for row in _transitions(before)} - closed):
            codepipeline.enable_stage_transition(pipelineName=physical_id, stageName=stage, transitionType="Inbound")
        arn, removed = _arn(wanted, physical_id), tags_removed(before, wanted.properties)
        if removed:
            codepipeline.untag_resource(resourceArn=arn, tagKeys=removed)
        if wanted.properties.get("Tags"):
            codepipeline.tag_resource(
                resourceArn=arn, **api_request(_SERVICE, "TagResource", wanted.properties, "Tags")
            )
        if canonical(wanted.properties.get("RestartExecutionOnUpdate")) == "true":
            self.settle(wanted, physical_id)
            codepipeline.start_pipeline_execution(name=physical_id)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        codepipeline = wanted.client(_SERVICE)
        try:
            codepipeline.delete_pipeline(name=physical_id)
        except codepipeline.exceptions.PipelineNotFoundException:
            return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client(_SERVICE).get_pipeline(name=physical_id)["pipeline"]
        return {"Arn": _arn(wanted, physical_id), "Version": str(found["version"])}


def _arn(wanted: Wanted, name: str) -> str:
    return wanted.cloud.arn(name, _SERVICE)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _transitions(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(properties.get("DisableInboundStageTransitions") or [])


def _declaration(properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The pipeline as CreatePipeline takes it; the stores of several regions are a map there, a list in a template."""
    shape = service_model(_SERVICE).shape_for("PipelineDeclaration")
    members = {key: value for key, value in properties.items() if key not in _ABOUT_THE_RESOURCE and value is not None}
    stores = {row["Region"]: row["ArtifactStore"] for row in properties.get("ArtifactStores") or []}
    declared: dict[str, Any] = shaped(
        {**members, **({"ArtifactStores": stores} if stores else {}), "Name": name}, shape
    )
    return declared
