"""Builds that a pipeline starts: artifacts in, artifacts out, and what the build is told of its commit."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

PIPELINE = {"source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
GIT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def test_a_project_of_a_pipeline_is_built_by_it_alone(builds: Any) -> None:
    project = builds.project({}, **PIPELINE)

    with pytest.raises(builds.codebuild.exceptions.InvalidInputException, match="built by its pipeline only"):
        builds.start(project)


def test_a_role_that_may_not_pull_cannot_clone(builds: Any, tmp_path: Path) -> None:
    name, _ = _repository(builds, tmp_path, "buildspec.yml", "version: 0.2\n")
    statement = {"Effect": "Allow", "Action": ["logs:*", "s3:*"], "Resource": "*"}
    source = {"type": "CODECOMMIT", "location": f"https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{name}"}
    project = builds.project(
        source=source, serviceRole=builds.role({"Version": "2012-10-17", "Statement": [statement]})
    )

    built = builds.ended(builds.start(project))

    assert "codecommit:GitPull" in built.context("DOWNLOAD_SOURCE")


def test_a_repository_is_built_at_the_commit_that_is_asked_for(builds: Any, tmp_path: Path) -> None:
    spec = json.dumps({"version": "0.2", "phases": {"build": {"commands": ["git log --format=%H -n 1"]}}})
    name, commit = _repository(builds, tmp_path, "buildspec.yml", spec)
    _commit(builds, tmp_path / name, "buildspec.yml", "broken: [", name)
    source = {"type": "CODECOMMIT", "location": f"https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{name}"}

    built = builds.ended(builds.start(builds.project(source=source), sourceVersion=commit))

    assert built.said == [commit]
    assert built.body["resolvedSourceVersion"] == commit


def test_a_pipelines_artifacts_come_in_by_name_and_several_go_out_by_name(builds: Any, tmp_path: Path) -> None:
    spec = {
        "version": "0.2",
        "phases": {
            "build": {
                "commands": [
                    'echo "$CODEBUILD_INITIATOR $CODEBUILD_RESOLVED_SOURCE_VERSION"',
                    'cp "$CODEBUILD_SRC_DIR_Other/other.txt" copied.txt',
                    'git -C "$CODEBUILD_SRC_DIR_Other" log --format=%H -n 1',
                ]
            }
        },
        "artifacts": {
            "secondary-artifacts": {"One": {"files": ["copied.txt"]}, "Two": {"files": ["buildspec.yml"]}},
        },
    }
    name, commit = _repository(builds, tmp_path, "buildspec.yml", json.dumps(spec))
    other, cloned = _repository(builds, tmp_path, "other.txt", "from the other")
    project = builds.project({}, **PIPELINE)
    action = {"owner": "AWS", "version": "1"}
    sources = [
        {
            "name": artifact,
            "actionTypeId": {"category": "Source", "provider": "CodeCommit", **action},
            "configuration": {"RepositoryName": repository, "BranchName": "main", **more},
            "outputArtifacts": [{"name": artifact}],
        }
        for artifact, repository, more in (
            ("Main", name, {}),
            ("Other", other, {"OutputArtifactFormat": "CODEBUILD_CLONE_REF"}),
        )
    ]
    build = {
        "name": "Build",
        "actionTypeId": {"category": "Build", "provider": "CodeBuild", **action},
        "configuration": {"ProjectName": project, "PrimarySource": "Main"},
        "inputArtifacts": [{"name": "Main"}, {"name": "Other"}],
        "outputArtifacts": [{"name": "One"}, {"name": "Two"}],
    }
    pipelines, pipeline = builds.cloud.client("codepipeline"), f"pipeline-{uuid.uuid4().hex[:8]}"
    pipelines.create_pipeline(
        pipeline={
            "name": pipeline,
            "roleArn": builds.role(trust=TRUST),
            "artifactStore": {"type": "S3", "location": builds.bucket},
            "stages": [{"name": "Source", "actions": sources}, {"name": "Build", "actions": [build]}],
            "pipelineType": "V2",
        }
    )

    ran = _ended_action(pipelines, pipeline, "Build")
    built = builds.ended(ran["output"]["executionResult"]["externalExecutionId"])
    out = {item["name"]: item["s3location"] for item in ran["output"]["outputArtifacts"]}

    assert built.said == [f"codepipeline/{pipeline} {commit}", cloned]
    assert builds.archive(f"{out['One']['bucket']}/{out['One']['key']}") == {"copied.txt": "from the other"}
    assert list(builds.archive(f"{out['Two']['bucket']}/{out['Two']['key']}")) == ["buildspec.yml"]
    with pytest.raises(builds.codebuild.exceptions.InvalidInputException, match="retry the pipeline's stage"):
        builds.codebuild.retry_build(id=built.body["id"])


def _repository(builds: Any, folder: Path, file: str, text: str) -> tuple[str, str]:
    """A CodeCommit repository with one file; its name and its commit."""
    name = f"repository-{uuid.uuid4().hex[:8]}"
    builds.cloud.client("codecommit").create_repository(repositoryName=name)
    (folder / name).mkdir()
    _git(folder / name, "init", "--quiet", "--initial-branch=main")
    return name, _commit(builds, folder / name, file, text, name)


def _commit(builds: Any, copy: Path, file: str, text: str, name: str) -> str:
    (copy / file).write_text(text)
    _git(copy, "add", "--all")
    _git(copy, "commit", "--quiet", "--message", "change")
    _git(copy, "push", "--quiet", f"{builds.cloud.endpoint_url}/git/{name}", "HEAD:refs/heads/main")
    return _git(copy, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=GIT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _ended_action(pipelines: Any, pipeline: str, action: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        rows = pipelines.list_action_executions(pipelineName=pipeline)["actionExecutionDetails"]
        for row in rows:
            if row["actionName"] == action and row["status"] != "InProgress":
                assert row["status"] == "Succeeded", row
                return dict(row)
            assert row["status"] != "Failed", row
        time.sleep(0.05)
    pytest.fail(f"{action} of {pipeline} did not end")
