"""The source action on CodeCommit: the newest commit of a branch of one of the account's own repositories.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html
"""

from __future__ import annotations

from datetime import UTC

from local_aws.codepipeline.actions import source_artifact
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun, provider
from local_aws.errors import AwsError


@provider("Source", "CodeCommit")
def run_codecommit_source(run: ActionRun) -> ActionResult:
    """Take a commit of RepositoryName, as far as the action's role may read it, and put it out."""
    name, branch = run.configuration["RepositoryName"], run.configuration["BranchName"]
    try:
        # By the API, so that the role needs what it needs on AWS: codecommit:GetRepository and the like.
        run.cloud.call("codecommit", "GetRepository", {"repositoryName": name})
        commit = source_artifact.commit_to_take(run, name, branch)
        run.cloud.call("codecommit", "GetCommit", {"repositoryName": name, "commitId": commit.id})
    except AwsError as error:
        raise ActionFailed(
            f"Could not access the CodeCommit repository {name}: {error.message}. Make sure that it exists and that "
            f"the role {run.role_arn} may read it.",
            "ConfigurationError" if error.code.startswith("Repository") else "PermissionError",
        ) from error
    branch = source_artifact.branch_taken(run, name, branch, commit)
    source_artifact.put_out(run, name, branch, commit)
    variables = {
        "AuthorDate": commit.authored.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "BranchName": branch,
        "CommitId": commit.id,
        "CommitMessage": commit.message,
        "CommitterDate": commit.committed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RepositoryName": name,
    }
    return source_artifact.result(run, name, commit, variables)
