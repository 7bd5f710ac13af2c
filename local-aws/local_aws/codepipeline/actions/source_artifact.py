"""What the source actions put out: a commit's files as a zip, or a reference for CodeBuild to clone."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun
from local_aws.git_remote import git, repository
from local_aws.git_remote.repository import Commit, NoSuchRevision

_SUMMARY = 1000


def commit_to_take(run: ActionRun, name: str, branch: str) -> Commit:
    """The commit an action is told to take, else the newest of its branch; raises `ActionFailed` in words."""
    if not repository.exists(run.cloud, name):
        there = ", ".join(repository.names(run.cloud)) or "none"
        raise ActionFailed(
            f"There is no repository {name}. Push it: git push {repository.url(run.cloud, name)} {branch}. "
            f"There are: {there}.",
            "ConfigurationError",
        )
    try:
        return repository.commit(run.cloud, name, run.revision or f"refs/heads/{branch}")
    except NoSuchRevision as error:
        if run.revision:
            raise ActionFailed(f"The repository {name} has no commit {run.revision}.", "ConfigurationError") from error
        there = ", ".join(repository.branches(run.cloud, name)) or "none: nothing was pushed yet"
        raise ActionFailed(
            f"The repository {name} has no branch {branch}. Push it: "
            f"git push {repository.url(run.cloud, name)} {branch}. There are: {there}.",
            "ConfigurationError",
        ) from error


def branch_taken(run: ActionRun, name: str, branch: str, commit: Commit) -> str:
    """The branch a commit was taken from: the configured one, unless a trigger on another branch brought it."""
    there = repository.branches(run.cloud, name)
    if not run.revision or there.get(branch) == commit.id or repository.contains(run.cloud, name, branch, commit.id):
        return branch
    return next((other for other, tip in there.items() if tip == commit.id), branch)


def put_out(run: ActionRun, name: str, branch: str, commit: Commit) -> None:
    """Write the action's one output artifact in the format that it is configured to have.

    CODE_ZIP holds the files without git's own (https://docs.aws.amazon.com/codepipeline/latest/userguide/
    action-reference-CodestarConnectionSource.html), CODEBUILD_CLONE_REF is JSON with the address and the commit.
    """
    output = next(iter(run.outputs.values()))
    s3 = run.cloud.client("s3")
    try:
        if run.configuration.get("OutputArtifactFormat", "CODE_ZIP") == "CODEBUILD_CLONE_REF":
            reference = {
                "RepositoryUrl": repository.url(run.cloud, name),
                "CommitId": commit.id,
                "BranchName": branch,
                "FullRepositoryName": name,
            }
            s3.put_object(Bucket=output.bucket, Key=output.key, Body=json.dumps(reference).encode())
            return
        with tempfile.NamedTemporaryFile(suffix=".zip") as archive:
            _write_zip(repository.path(run.cloud, name), commit, archive)
            s3.upload_file(archive.name, output.bucket, output.key)
    except (ClientError, S3UploadFailedError) as error:
        raise ActionFailed(
            f"The artifact could not be written to s3://{output.bucket}/{output.key}: {error}", "PermissionError"
        ) from error


def _write_zip(folder: Path, commit: Commit, archive: Any) -> None:
    done = subprocess.run(
        ["git", "--git-dir", str(folder), "archive", "--format=zip", "-1", commit.id],
        stdout=archive,
        stderr=subprocess.PIPE,
        env=git.environment(),
        check=False,
    )
    if done.returncode != 0:
        raise ActionFailed(f"The commit {commit.id} could not be archived: {done.stderr.decode(errors='replace')}")


def result(run: ActionRun, name: str, commit: Commit, variables: dict[str, str]) -> ActionResult:
    """The end of a source action: its variables, and the revision that the execution shows."""
    return ActionResult(
        variables=variables,
        summary=commit.message[:_SUMMARY],
        external_execution_id=commit.id,
        revision=commit.id,
        revision_summary=commit.message[:_SUMMARY],
        revision_url=f"{repository.url(run.cloud, name)}?commit={commit.id}",
    )
