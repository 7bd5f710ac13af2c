"""What the source actions put out, what they offer as variables, and how they fail."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def test_the_zip_holds_the_files_of_the_commit_with_their_executable_bits(sources: Any, work: Any) -> None:
    repository = sources.repository()
    work.commit(readme_md="hello", bin__run_sh="#!/bin/sh\n")
    (work.folder / "bin" / "run.sh").chmod(0o755)
    (work.folder / "ünicode name.txt").write_text("é")
    (work.folder / "link").symlink_to("readme.md")
    commit = work.commit("Executable\n\nwith a body")
    work.push(sources.url(repository))
    execution = sources.executions(sources.on_connection(repository))[0]
    archive = sources.zip(execution)
    names = set(archive.namelist())
    assert {"readme.md", "bin/run.sh", "ünicode name.txt", "link"} <= names
    assert not any(name.startswith(".git/") for name in names)
    assert stat.S_IMODE(archive.getinfo("bin/run.sh").external_attr >> 16) & 0o111
    assert stat.S_ISLNK(archive.getinfo("link").external_attr >> 16)
    [revision] = sources.execution(execution)["artifactRevisions"]
    assert revision["revisionId"] == commit
    assert revision["revisionSummary"].startswith("Executable")


def test_a_connection_source_offers_its_documented_variables(sources: Any, work: Any) -> None:
    repository = sources.repository()
    commit = work.commit("Say who")
    work.push(sources.url(repository))
    connection = sources.connection()
    variables = sources.variables(sources.executions(sources.on_connection(repository, connection=connection))[0])
    assert variables.pop("AuthorDate").endswith("Z")
    assert variables == {
        "AuthorDisplayName": "Ada Lovelace",
        "AuthorEmail": "ada@example.com",
        "AuthorId": "ada@example.com",
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "Say who",
        "ConnectionArn": connection,
        "FullRepositoryName": repository,
        "ProviderType": "GitHub",
    }


def test_a_codecommit_source_offers_its_documented_variables(sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    commit = work.commit("Say who")
    work.push(sources.url(repository))
    variables = sources.variables(sources.executions(sources.on_codecommit(repository))[0])
    assert variables.pop("AuthorDate").endswith("Z")
    assert variables.pop("CommitterDate").endswith("Z")
    assert variables == {
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "Say who",
        "RepositoryName": repository,
    }


def test_a_reference_to_clone_is_put_out_where_that_is_the_format(sources: Any, work: Any, working_copy: Any) -> None:
    repository = sources.repository()
    commit = work.commit(a_txt="one")
    work.push(sources.url(repository))
    pipeline = sources.on_connection(repository, configuration={"OutputArtifactFormat": "CODEBUILD_CLONE_REF"})
    reference = json.loads(sources.artifact(sources.executions(pipeline)[0]))
    assert reference == {
        "RepositoryUrl": sources.url(repository),
        "CommitId": commit,
        "BranchName": "main",
        "FullRepositoryName": repository,
    }
    other = working_copy()
    other.git("clone", "--quiet", reference["RepositoryUrl"], "clone")
    assert other.git("-C", "clone", "rev-parse", "HEAD") == commit


def test_a_start_by_hand_may_name_the_commit_to_take(sources: Any, work: Any) -> None:
    repository = sources.repository()
    first = work.commit(a_txt="one")
    work.commit(a_txt="two")
    work.push(sources.url(repository))
    pipeline = sources.on_connection(repository)
    started = sources.pipelines.start_pipeline_execution(
        name=pipeline, sourceRevisions=[{"actionName": "Take", "revisionType": "COMMIT_ID", "revisionValue": first}]
    )
    execution = (pipeline, started["pipelineExecutionId"])
    assert sources.zip(execution).read("a.txt") == b"one"
    assert sources.variables(execution)["BranchName"] == "main"
    started = sources.pipelines.start_pipeline_execution(
        name=pipeline, sourceRevisions=[{"actionName": "Take", "revisionType": "COMMIT_ID", "revisionValue": "a" * 40}]
    )
    assert f"has no commit {'a' * 40}" in sources.why((pipeline, started["pipelineExecutionId"]))


def test_a_pending_connection_fails_the_source_with_how_to_finish_it(sources: Any, work: Any) -> None:
    repository = sources.repository()
    work.commit(a_txt="one")
    work.push(sources.url(repository))
    connection = sources.connection(finished=False)
    pipeline = sources.on_connection(repository, connection=connection)
    why = sources.why(sources.executions(pipeline)[0])
    assert f"({connection}) is not available: it is PENDING" in why
    assert f"curl -X POST {sources.cloud.endpoint_url}/_local/connections/{connection.rpartition('/')[2]}/finish" in why


def test_a_connection_that_is_gone_names_those_there_are(sources: Any, work: Any) -> None:
    repository = sources.repository()
    work.commit(a_txt="one")
    work.push(sources.url(repository))
    there, gone = sources.connection(), sources.connection()
    sources.connections.delete_connection(ConnectionArn=gone)
    why = sources.why(sources.executions(sources.on_connection(repository, connection=gone))[0])
    assert f"Connection {gone} not found. There are: " in why
    assert there in why


def test_a_missing_repository_or_branch_names_those_there_are(sources: Any, work: Any) -> None:
    there, missing = sources.repository(), sources.repository()
    work.commit(a_txt="one")
    work.push(sources.url(there), "HEAD:refs/heads/trunk")
    why = sources.why(sources.executions(sources.on_connection(missing))[0])
    assert f"There is no repository {missing}. Push it: git push {sources.url(missing)} main." in why
    assert there in why
    why = sources.why(sources.executions(sources.on_connection(there))[0])
    assert f"The repository {there} has no branch main." in why
    assert "There are: trunk." in why


def test_a_codecommit_repository_that_is_missing_or_empty_is_named(sources: Any) -> None:
    why = sources.why(sources.executions(sources.on_codecommit("never-made-here"))[0])
    assert "Could not access the CodeCommit repository never-made-here" in why
    empty = sources.codecommit_repository()
    why = sources.why(sources.executions(sources.on_codecommit(empty))[0])
    assert f"The repository {empty} has no branch main." in why
    assert "nothing was pushed yet" in why


def only(*actions: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }


@pytest.mark.parametrize("prefix", ["codeconnections", "codestar-connections"])
def test_a_role_needs_to_be_allowed_to_use_the_connection(sources: Any, work: Any, prefix: str) -> None:
    repository = sources.repository()
    work.commit(a_txt="one")
    work.push(sources.url(repository))
    allowed = sources.new_role(only(f"{prefix}:UseConnection", "s3:PutObject"))
    execution = sources.executions(sources.on_connection(repository, role=allowed))[0]
    assert sources.zip(execution).read("a.txt") == b"one"
    denied = sources.new_role(only("s3:PutObject"))
    why = sources.why(sources.executions(sources.on_connection(repository, role=denied))[0])
    assert "Unable to use Connection: arn:aws:codeconnections:" in why
    assert "is not authorized to perform: codeconnections:UseConnection" in why


def test_a_role_needs_to_be_allowed_to_read_codecommit_and_to_write_the_artifact(sources: Any, work: Any) -> None:
    repository = sources.codecommit_repository()
    work.commit(a_txt="one")
    work.push(sources.url(repository))
    reads = ("codecommit:GetBranch", "codecommit:GetCommit", "codecommit:UploadArchive")
    allowed = sources.new_role(only(*reads, "codecommit:GetUploadArchiveStatus", "s3:PutObject"))
    assert sources.zip(sources.executions(sources.on_codecommit(repository, role=allowed))[0]).namelist()
    denied = sources.new_role(only("s3:PutObject"))
    why = sources.why(sources.executions(sources.on_codecommit(repository, role=denied))[0])
    assert "is not authorized to perform: codecommit:GetBranch" in why
    mute = sources.new_role(only(*reads, "codecommit:GetUploadArchiveStatus"))
    why = sources.why(sources.executions(sources.on_codecommit(repository, role=mute))[0])
    assert "could not be written to s3://" in why
    assert "s3:PutObject" in why
