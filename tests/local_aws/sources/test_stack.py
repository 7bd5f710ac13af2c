"""Sources as a stack declares them: repository, connection, rule and pipeline, and a push that starts it."""

from __future__ import annotations

import uuid
from typing import Any

TEMPLATE = """
Parameters:
  Name: {Type: String}
Resources:
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties: {RepositoryName: !Ref Name}
  Connection:
    Type: AWS::CodeConnections::Connection
    Properties: {ConnectionName: mine, ProviderType: GitHub}
  Bucket:
    Type: AWS::S3::Bucket
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
        - Effect: Allow
          Principal: {Service: [codepipeline.amazonaws.com]}
          Action: sts:AssumeRole
      Policies:
      - PolicyName: sources
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
          - Effect: Allow
            Action: [codecommit:GetBranch, codecommit:GetCommit, codecommit:UploadArchive,
              codecommit:GetUploadArchiveStatus]
            Resource: !GetAtt Repository.Arn
          - {Effect: Allow, Action: codeconnections:UseConnection, Resource: !Ref Connection}
          - {Effect: Allow, Action: s3:PutObject, Resource: !Sub "${Bucket.Arn}/*"}
  StarterRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
        - {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
      - PolicyName: start
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
          - Effect: Allow
            Action: codepipeline:StartPipelineExecution
            Resource: !Sub "arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:${Own}"
  Own:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      PipelineType: V2
      RoleArn: !GetAtt Role.Arn
      ArtifactStore: {Type: S3, Location: !Ref Bucket}
      Stages:
      - Name: Source
        Actions:
        - Name: Take
          ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, Version: "1"}
          Configuration:
            RepositoryName: !GetAtt Repository.Name
            BranchName: main
            PollForSourceChanges: "false"
          OutputArtifacts: [{Name: Code}]
      - Name: Approve
        Actions:
        - Name: Ask
          ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: "1"}
  Theirs:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      PipelineType: V2
      RoleArn: !GetAtt Role.Arn
      ArtifactStore: {Type: S3, Location: !Ref Bucket}
      Triggers:
      - ProviderType: CodeStarSourceConnection
        GitConfiguration:
          SourceActionName: Take
          Push:
          - Branches: {Includes: [main]}
            FilePaths: {Includes: ["src/**"]}
      Stages:
      - Name: Source
        Actions:
        - Name: Take
          ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeStarSourceConnection, Version: "1"}
          Configuration:
            ConnectionArn: !Ref Connection
            FullRepositoryId: !Sub "team/${Name}"
            BranchName: main
            DetectChanges: "false"
          OutputArtifacts: [{Name: Code}]
      - Name: Approve
        Actions:
        - Name: Ask
          ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: "1"}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.codecommit]
        detail-type: ["CodeCommit Repository State Change"]
        resources: [!GetAtt Repository.Arn]
        detail:
          event: [referenceCreated, referenceUpdated]
          referenceType: [branch]
          referenceName: [main]
      Targets:
      - Id: pipeline
        Arn: !Sub "arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:${Own}"
        RoleArn: !GetAtt StarterRole.Arn
Outputs:
  Url: {Value: !GetAtt Repository.CloneUrlHttp}
  Own: {Value: !Ref Own}
  Theirs: {Value: !Ref Theirs}
  Connection: {Value: !Ref Connection}
"""


def test_a_stack_of_sources_is_started_by_pushes_with_the_least_of_rights(stacks: Any, sources: Any, work: Any) -> None:
    name = f"repo-{uuid.uuid4().hex[:8]}"
    stack = stacks.create(TEMPLATE, {"Name": name})
    assert stacks.status(stack) == "CREATE_COMPLETE", stacks.told(stack)
    outputs = stacks.outputs(stack)
    commit = work.commit(src__a_py="1")
    assert f"{outputs['Own']}: started" in work.push(outputs["Url"])
    execution = sources.executions(outputs["Own"])[-1]
    assert sources.taken(execution)["status"] == "Succeeded"
    assert sources.variables(execution)["CommitId"] == commit
    remote = sources.url(f"team/{name}")
    assert "the branch main is new" in work.push(remote)
    sources.finish(outputs["Connection"]).raise_for_status()
    work.commit(src__a_py="2")
    assert f"{outputs['Theirs']}: started" in work.push(remote)
    execution = sources.executions(outputs["Theirs"])[-1]
    assert sources.taken(execution)["status"] == "Succeeded"
    assert sources.zip(execution).read("src/a.py") == b"2"
