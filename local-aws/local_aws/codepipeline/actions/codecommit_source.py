"""The source action on CodeCommit: the newest commit of a branch of one of the account's own repositories.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html
"""

from __future__ import annotations

from datetime import UTC

from local_aws.codecommit import repositories
from local_aws.codepipeline.actions import source_artifact
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun, provider
from local_aws.errors import AwsError
from local_aws.iam import authorization

_ARCHIVING = ("UploadArchive", "GetUploadArchiveStatus")


@provider("Source", "CodeCommit")
def run_codecommit_source(run: ActionRun) -> ActionResult:
    """Take a commit of RepositoryName, as far as the action's role may read it, and put it out."""
    name, branch = run.configuration["RepositoryName"], run.configuration["BranchName"]
    try:
        repositories.named(run.cloud, name)
        _check_role(run, name)
        commit = source_artifact.commit_to_take(run, name, branch)
    except AwsError as error:
        raise ActionFailed(
            f"Could not access the CodeCommit repository {name}: {error.message}. Make sure that it exists and that "
            f"the role {run.role_arn} may read it.",
            "PermissionError" if error.code.startswith("AccessDenied") else "ConfigurationError",
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


def _check_role(run: ActionRun, name: str) -> None:
    """Refuse a role that lacks what this action needs; raises `AwsError`.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html#how-to-update-role-new-services
    """
    whole = run.configuration.get("OutputArtifactFormat", "CODE_ZIP") == "CODEBUILD_CLONE_REF"
    for action in ("GetBranch", "GetCommit", *(("GetRepository",) if whole else _ARCHIVING)):
        authorization.require(run.cloud, f"codecommit:{action}", repositories.arn(run.cloud, name))
