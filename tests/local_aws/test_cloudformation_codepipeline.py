"""Pipelines as resources: declared as in a template, changed in place, and taken back when an update fails."""

from __future__ import annotations

from typing import Any

import pytest

PIPELINE = """
Parameters:
  Message: {Type: String, Default: first}
  Restart: {Type: String, Default: "false"}
  Closed: {Type: String, Default: "no"}
  Owner: {Type: String, Default: ml}
Conditions: {Closed: !Equals [!Ref Closed, "yes"]}
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: {Effect: Allow, Principal: {Service: codepipeline.amazonaws.com}, Action: "sts:AssumeRole"}
  Connection:
    Type: AWS::CodeConnections::Connection
    Properties: {ConnectionName: iris, ProviderType: GitHub}
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      PipelineType: V2
      ExecutionMode: QUEUED
      RoleArn: !GetAtt Role.Arn
      ArtifactStore: {Type: S3, Location: !Ref Bucket}
      RestartExecutionOnUpdate: !Ref Restart
      DisableInboundStageTransitions:
        - {StageName: Approve, Reason: not before Monday}
        - !If [Closed, {StageName: Later, Reason: holidays}, !Ref "AWS::NoValue"]
      Variables: [{Name: target, DefaultValue: staging}]
      Triggers:
        - ProviderType: CodeStarSourceConnection
          GitConfiguration:
            SourceActionName: Source
            Push: [{Branches: {Includes: [main]}, FilePaths: {Includes: [buildspec.yml], Excludes: ["docs/**"]}}]
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              Namespace: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeStarSourceConnection, Version: 1}
              Configuration:
                ConnectionArn: !Ref Connection
                FullRepositoryId: owner/iris
                BranchName: main
                DetectChanges: false
              OutputArtifacts: [{Name: Source}]
        - Name: Approve
          OnFailure: {Result: RETRY, RetryConfiguration: {RetryMode: FAILED_ACTIONS}}
          Actions:
            - Name: Ask
              RunOrder: "1"
              TimeoutInMinutes: 60
              ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: "1"}
              Configuration: {CustomData: !Ref Message}
        - Name: Later
          Actions:
            - Name: AskAgain
              ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: "1"}
      Tags: [{Key: owner, Value: !Ref Owner}]
Outputs:
  Version: {Value: !GetAtt Pipeline.Version}
"""


def closed(cloud: Any, pipeline: str) -> dict[str, str]:
    """The stages that are closed, and why."""
    stages = cloud.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]
    states = {stage["stageName"]: stage["inboundTransitionState"] for stage in stages}
    return {name: state["disabledReason"] for name, state in states.items() if not state["enabled"]}


def test_a_pipeline_is_declared_as_its_template_says(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PIPELINE)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    pipeline = stacks.resources(name)["Pipeline"]
    found = cloud.client("codepipeline").get_pipeline(name=pipeline)
    declared = found["pipeline"]
    assert pipeline.startswith(f"{name}-Pipeline-")
    assert (declared["pipelineType"], declared["executionMode"]) == ("V2", "QUEUED")
    assert declared["triggers"][0]["gitConfiguration"]["push"][0]["filePaths"] == {
        "includes": ["buildspec.yml"],
        "excludes": ["docs/**"],
    }
    assert declared["variables"] == [{"name": "target", "defaultValue": "staging"}]
    source, approve, _ = declared["stages"]
    assert source["actions"][0]["actionTypeId"]["version"] == "1"
    assert source["actions"][0]["configuration"]["DetectChanges"] == "false"
    assert approve["onFailure"] == {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}
    assert (approve["actions"][0]["runOrder"], approve["actions"][0]["timeoutInMinutes"]) == (1, 60)
    assert closed(cloud, pipeline) == {"Approve": "not before Monday"}
    assert stacks.outputs(name) == {"Version": "1"}
    arn = found["metadata"]["pipelineArn"]
    tags = cloud.client("codepipeline").list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "owner", "value": "ml"}]
    # On AWS a pipeline runs once when it is made, however it is made.
    assert len(
        cloud.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    )
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
    with pytest.raises(cloud.client("codepipeline").exceptions.PipelineNotFoundException):
        cloud.client("codepipeline").get_pipeline(name=pipeline)


def test_a_pipeline_changes_in_place_and_starts_only_where_it_is_told_to(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PIPELINE)
    codepipeline, pipeline = cloud.client("codepipeline"), stacks.resources(name)["Pipeline"]

    def executions() -> int:
        return len(codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"])

    assert stacks.update(name, PIPELINE, {"Message": "second", "Closed": "yes", "Owner": "data"})["StackStatus"] == (
        "UPDATE_COMPLETE"
    )
    declared = codepipeline.get_pipeline(name=pipeline)["pipeline"]
    assert declared["stages"][1]["actions"][0]["configuration"] == {"CustomData": "second"}
    assert closed(cloud, pipeline) == {"Approve": "not before Monday", "Later": "holidays"}
    assert (executions(), stacks.outputs(name)) == (1, {"Version": "2"})
    arn = cloud.client("codepipeline").get_pipeline(name=pipeline)["metadata"]["pipelineArn"]
    assert codepipeline.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "owner", "value": "data"}]
    assert stacks.update(name, PIPELINE, {"Message": "third", "Restart": "true"})["StackStatus"] == "UPDATE_COMPLETE"
    assert closed(cloud, pipeline) == {"Approve": "not before Monday"}
    assert executions() == 2
    stacks.delete(name)


def test_an_update_to_an_invalid_structure_is_taken_back_and_says_why(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PIPELINE)
    pipeline = stacks.resources(name)["Pipeline"]
    broken = PIPELINE.replace("SourceActionName: Source", "SourceActionName: Sauce").replace("ml}", "data}")
    described = stacks.update(name, broken)
    assert described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    told = stacks.told(name)
    reasons = [reason for logical_id, status, reason in told if status == "UPDATE_ROLLBACK_IN_PROGRESS"]
    assert reasons == ["The following resource(s) failed to update: [Pipeline]."]
    first = next(row for row in told if row[1].endswith("_FAILED"))
    assert first[:2] == ("Pipeline", "UPDATE_FAILED")
    assert "Sauce" in first[2]
    declared = cloud.client("codepipeline").get_pipeline(name=pipeline)["pipeline"]
    assert declared["triggers"][0]["gitConfiguration"]["sourceActionName"] == "Source"
    assert stacks.update(name, PIPELINE, {"Message": "second"})["StackStatus"] == "UPDATE_COMPLETE"
    stacks.delete(name)


def test_a_failure_after_the_pipeline_changed_brings_its_old_declaration_back(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PIPELINE)
    pipeline = stacks.resources(name)["Pipeline"]
    later = "  Last: {Type: AWS::S3::Bucket, DependsOn: Pipeline, Properties: {BucketName: Not_A_Name}}\nOutputs:"
    described = stacks.update(name, PIPELINE.replace("Outputs:", later), {"Message": "second", "Closed": "yes"})
    assert described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    declared = cloud.client("codepipeline").get_pipeline(name=pipeline)["pipeline"]
    assert declared["stages"][1]["actions"][0]["configuration"] == {"CustomData": "first"}
    assert closed(cloud, pipeline) == {"Approve": "not before Monday"}
    stacks.delete(name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("RunOrder:", "RunOder:", "RunOder"),
        ("PipelineType: V2", "PipelineTyp: V2", "Encountered unsupported property PipelineTyp"),
        ("ArtifactStore: {Type: S3, Location: !Ref Bucket}", "", "Exactly one of ArtifactStore and ArtifactStores"),
        ("PipelineType: V2", "PipelineType: V1", "V1"),
        ("StageName: Approve", "StageName: Nowhere", "Nowhere"),
        ("- Name: Later", "- Name: Later\n          Blockers: [{Name: night, Type: Schedule}]", "has blockers"),
    ],
)
def test_what_is_wrong_with_a_pipeline_fails_it_by_name(stacks: Any, old: str, new: str, said: str) -> None:
    name = stacks.create(PIPELINE.replace(old, new))
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert said in stacks.reason(name, "Pipeline", "CREATE_FAILED")


PLAIN = "ArtifactStore: {Type: S3, Location: !Ref Bucket}"
ENCRYPTED = "ArtifactStore: {Type: S3, Location: !Ref Bucket, EncryptionKey: {Id: alias/artifacts, Type: KMS}}"
PUSH = "            Push:"
PULL_REQUEST = "            PullRequest: [{Events: [OPEN], Branches: {Includes: [main]}}]\n"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (PLAIN, ENCRYPTED, "ArtifactStore.EncryptionKey"),
        (
            PLAIN,
            f"ArtifactStores: [{{Region: us-east-1, {ENCRYPTED}}}]",
            "ArtifactStores.ArtifactStore.EncryptionKey",
        ),
        (PUSH, PULL_REQUEST + PUSH, "Triggers.GitConfiguration.PullRequest"),
    ],
)
def test_what_a_pipeline_does_not_carry_out_is_said_in_the_events(stacks: Any, old: str, new: str, path: str) -> None:
    name = stacks.create(PIPELINE.replace(old, new))
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    told = f"property {path} is recorded, not carried out, by local-aws"
    assert ("Pipeline", "CREATE_IN_PROGRESS", told) in stacks.told(name)
    stacks.delete(name)


def test_a_pipeline_that_is_gone_already_is_no_obstacle_to_deletion(stacks: Any, cloud: Any) -> None:
    name = stacks.create(PIPELINE)
    cloud.client("codepipeline").delete_pipeline(name=stacks.resources(name)["Pipeline"])
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
