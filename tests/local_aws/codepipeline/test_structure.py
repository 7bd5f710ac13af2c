"""Declarations that AWS refuses, each with its error code and what is wrong with it by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

STRUCTURE, STAGE, ACTION = (
    f"Invalid{what}Exception" for what in ("Structure", "StageDeclaration", "ActionDeclaration")
)
Change = Callable[[dict[str, Any]], Any]


def refused(pipelines: Any, declaration: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        pipelines.client.create_pipeline(pipeline=declaration)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def last(declaration: dict[str, Any]) -> dict[str, Any]:
    return dict(declaration["stages"][-1])["actions"][0]


def connection_source(declare: Any) -> Any:
    configuration = {"ConnectionArn": "arn:x", "FullRepositoryId": "a/b", "BranchName": "main"}
    return declare.stage(
        "Source", declare.action("Code", "Source", "CodeStarSourceConnection", configuration, outputs=["App"])
    )


def trigger(source: str, **push: Any) -> list[dict[str, Any]]:
    git = {"sourceActionName": source, "push": [push or {"branches": {"includes": ["main"]}}]}
    return [{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}]


BROKEN: dict[str, tuple[Change, str, str]] = {
    "V1 with triggers": (
        lambda d: d.update(pipelineType="V1", triggers=trigger("Source")),
        STRUCTURE,
        "type V1 cannot have triggers",
    ),
    "V1 with variables": (
        lambda d: d.update(pipelineType="V1", variables=[{"name": "x"}]),
        STRUCTURE,
        "type V1 cannot have variables",
    ),
    "V1 queued": (lambda d: d.update(pipelineType="V1", executionMode="QUEUED"), STRUCTURE, "execution mode QUEUED"),
    "a trigger of no source": (lambda d: d.update(triggers=trigger("Sauce")), STRUCTURE, "'Sauce'.*has: Source"),
    "a trigger of CodeCommit": (lambda d: d.update(triggers=trigger("Source")), STRUCTURE, "provider CodeCommit"),
    "one stage": (lambda d: d["stages"].pop(), STRUCTURE, r"only 1 stage\(s\)"),
    "no source first": (lambda d: d["stages"].pop(0), STRUCTURE, "only 1 stage|only contains source"),
    "a source later": (
        lambda d: d["stages"][1]["actions"].append(
            {**d["stages"][0]["actions"][0], "name": "Again", "outputArtifacts": [{"name": "B"}], "namespace": "B"}
        ),
        STRUCTURE,
        "'Again' in stage 'Deploy' is a source action",
    ),
    "a mixed first stage": (
        lambda d: d["stages"][0]["actions"].append({**last(d), "inputArtifacts": []}),
        STRUCTURE,
        "start with a stage that only contains source actions",
    ),
    "two stages of a name": (
        lambda d: d["stages"].append(d["stages"][1]),
        STRUCTURE,
        "Stage name 'Deploy' must be unique",
    ),
    "two actions of a name": (
        lambda d: d["stages"][1]["actions"].append(last(d)),
        STAGE,
        "Action name 'Deploy' must be unique within stage 'Deploy'",
    ),
    "an input nobody makes": (
        lambda d: last(d).update(inputArtifacts=[{"name": "Lost"}]),
        STRUCTURE,
        "Input Artifact Bundle Lost in action Deploy is not declared",
    ),
    "an artifact made twice": (
        lambda d: last(d).update(outputArtifacts=[{"name": "App"}]),
        STRUCTURE,
        "App has been used more than once",
    ),
    "an input made beside it": (
        lambda d: (
            last(d).update(outputArtifacts=[{"name": "Out"}]),
            d["stages"][1]["actions"].append({**last(d), "name": "Other", "inputArtifacts": [{"name": "Out"}]}),
            d["stages"][1]["actions"][1].update(outputArtifacts=[]),
        ),
        STRUCTURE,
        "Input Artifact Bundle Out in action Other",
    ),
    "CodeBuild without ProjectName": (
        lambda d: last(d).update(
            actionTypeId={"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            configuration={},
        ),
        ACTION,
        "action 'Deploy' is missing required configuration 'ProjectName'",
    ),
    "a batch of builds": (
        lambda d: last(d).update(
            actionTypeId={"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            configuration={"ProjectName": "p", "BatchEnabled": "true"},
        ),
        ACTION,
        "'true' for 'BatchEnabled'",
    ),
    "an unknown key": (
        lambda d: last(d)["configuration"].update(Stack="x"),
        ACTION,
        "'Deploy' contains unknown configuration 'Stack'",
    ),
    "an unknown mode": (
        lambda d: last(d)["configuration"].update(ActionMode="CREATE"),
        ACTION,
        "ActionMode 'CREATE', valid are: CREATE_UPDATE",
    ),
    "a mode without its template": (
        lambda d: last(d)["configuration"].pop("TemplatePath"),
        ACTION,
        "missing required configuration 'TemplatePath'",
    ),
    "Deploy by S3": (
        lambda d: last(d).update(actionTypeId={"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"}),
        ACTION,
        r"Provider: 'S3'.*not available.*Deploy/CloudFormation",
    ),
    "a malformed variable": (
        lambda d: last(d)["configuration"].update(StackName="#{Source}"),
        ACTION,
        r"separated by a period \(.\).*#\{Source\}",
    ),
    "an unknown namespace": (
        lambda d: last(d)["configuration"].update(StackName="#{Build.Name}"),
        ACTION,
        "no preceding action has the namespace 'Build'",
    ),
    "an undeclared variable": (
        lambda d: last(d)["configuration"].update(StackName="#{variables.Name}"),
        ACTION,
        "declares no variable 'Name'",
    ),
    "a timeout of no approval": (
        lambda d: last(d).update(timeoutInMinutes=10),
        ACTION,
        "only manual approval actions",
    ),
    "another region": (lambda d: last(d).update(region="eu-west-1"), ACTION, "'eu-west-1'.*'us-east-1'"),
    "no artifact store": (lambda d: d.pop("artifactStore"), STRUCTURE, "either artifactStore or artifactStores"),
    "a role that is not there": (
        lambda d: d.update(roleArn="arn:aws:iam::123456789012:role/nobody"),
        STRUCTURE,
        "not authorized to perform AssumeRole on role arn:aws:iam::123456789012:role/nobody",
    ),
    "rollback in parallel": (
        lambda d: (d.update(executionMode="PARALLEL"), d["stages"][1].update(onFailure={"result": "ROLLBACK"})),
        STRUCTURE,
        "not available in PARALLEL mode",
    ),
    "rollback of the source": (
        lambda d: d["stages"][0].update(onFailure={"result": "ROLLBACK"}),
        STRUCTURE,
        "Source stage 'Source' cannot have onFailure ROLLBACK",
    ),
    "conditions": (
        lambda d: d["stages"][1].update(beforeEntry={"conditions": [{"result": "FAIL"}]}),
        STAGE,
        "conditions are not carried out by local-aws",
    ),
    "blockers": (
        lambda d: d["stages"][1].update(blockers=[{"name": "night", "type": "Schedule"}]),
        STRUCTURE,
        "Stage 'Deploy' has blockers, which are reserved for future use",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_declaration_that_aws_refuses_is_refused_by_name(pipelines: Any, declare: Any, what: str) -> None:
    change, code, message = BROKEN[what]
    declaration = pipelines.declaration(pipelines.source(), declare.stage("Deploy", pipelines.deployment()))
    change(declaration)
    found, told = refused(pipelines, declaration)
    assert found == code, told
    assert re.search(message, told), told
    with pytest.raises(pipelines.client.exceptions.PipelineNotFoundException):
        pipelines.client.get_pipeline(name=declaration["name"])


def test_a_filter_by_tags_stands_alone(pipelines: Any, declare: Any) -> None:
    source = connection_source(declare)
    deploy = declare.stage("Deploy", pipelines.deployment())
    push = {"tags": {"includes": ["v*"]}, "branches": {"includes": ["main"]}}
    declaration = pipelines.declaration(source, deploy, triggers=trigger("Code", **push))
    assert refused(pipelines, declaration) == (
        STRUCTURE,
        "Trigger of source action 'Code' filters a push by tags and by branches or file paths: tags must be alone",
    )


def test_a_pattern_that_is_none_is_refused(pipelines: Any, declare: Any) -> None:
    source = connection_source(declare)
    deploy = declare.stage("Deploy", pipelines.deployment())
    push = {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["model-{build"]}}
    code, message = refused(pipelines, pipelines.declaration(source, deploy, triggers=trigger("Code", **push)))
    assert code == STRUCTURE
    assert "filePaths: the pattern 'model-{build' has a group that is not closed" in message


def test_a_name_is_given_once_and_an_update_is_the_next_version(pipelines: Any, declare: Any) -> None:
    declaration = pipelines.declaration(pipelines.source(), declare.stage("Approve", declare.approval()))
    created = pipelines.client.create_pipeline(pipeline=declaration, tags=[{"key": "team", "value": "ml"}])
    assert created["pipeline"]["version"] == 1
    assert refused(pipelines, declaration)[0] == "PipelineNameInUseException"
    name = declaration["name"]
    (first,) = pipelines.executions(name)
    pipelines.asked(name, "Approve")
    declaration["stages"][1]["name"] = "Review"
    assert pipelines.client.update_pipeline(pipeline=declaration)["pipeline"]["version"] == 2
    got = pipelines.client.get_pipeline(name=name)
    assert got["pipeline"]["version"] == 2
    assert got["pipeline"]["stages"][1]["actions"][0]["runOrder"] == 1
    arn = got["metadata"]["pipelineArn"]
    assert arn == f"arn:aws:codepipeline:us-east-1:123456789012:{name}"
    assert pipelines.client.get_pipeline(name=name, version=1)["pipeline"]["stages"][1]["name"] == "Approve"
    with pytest.raises(pipelines.client.exceptions.PipelineVersionNotFoundException):
        pipelines.client.get_pipeline(name=name, version=3)
    cancelled = pipelines.ended(name, first["pipelineExecutionId"])
    assert (cancelled["status"], cancelled["pipelineVersion"]) == ("Cancelled", 1)
    assert "version 2" in cancelled["statusSummary"]
    pipelines.client.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "prod"}])
    pipelines.client.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert pipelines.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "prod"}]
    assert name in [row["name"] for row in pipelines.client.list_pipelines()["pipelines"]]
    pipelines.client.delete_pipeline(name=name)
    pipelines.client.delete_pipeline(name=name)
    assert name not in [row["name"] for row in pipelines.client.list_pipelines()["pipelines"]]
    with pytest.raises(pipelines.client.exceptions.PipelineNotFoundException):
        pipelines.client.get_pipeline_state(name=name)


def test_what_is_not_carried_out_says_so(pipelines: Any) -> None:
    with pytest.raises(ClientError, match="PutActionRevision is not carried out by local-aws"):
        pipelines.client.put_action_revision(
            pipelineName="x",
            stageName="Source",
            actionName="Source",
            actionRevision={"revisionId": "1", "revisionChangeId": "1", "created": 0},
        )
