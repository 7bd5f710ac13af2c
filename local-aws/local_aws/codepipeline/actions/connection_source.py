"""The source action on a connection: the newest commit of a branch at the provider, which here is the git remote.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodestarConnectionSource.html
"""

from __future__ import annotations

from datetime import UTC

from local_aws.codepipeline.actions import source_artifact
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun, provider
from local_aws.connections import connection
from local_aws.errors import AwsError
from local_aws.iam import authorization


@provider("Source", "CodeStarSourceConnection")
def run_connection_source(run: ActionRun) -> ActionResult:
    """Take a commit of FullRepositoryId through the connection, put it out, and offer its variables."""
    arn, name = run.configuration["ConnectionArn"], run.configuration["FullRepositoryId"]
    branch = run.configuration["BranchName"]
    try:
        found = connection.named(run.cloud, arn)
    except AwsError as error:
        there = ", ".join(row["ConnectionArn"] for row in run.cloud.store.all(connection.KIND)) or "none"
        raise ActionFailed(f"{error.message}. There are: {there}.", "ConfigurationError") from error
    _check_role(run, arn, name, branch)
    unavailable = connection.why_not_available(run.cloud, found)
    if unavailable:
        raise ActionFailed(unavailable, "ConfigurationError")
    commit = source_artifact.commit_to_take(run, name, branch)
    branch = source_artifact.branch_taken(run, name, branch, commit)
    source_artifact.put_out(run, name, branch, commit)
    variables = {
        "AuthorDate": commit.authored.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "AuthorDisplayName": commit.author,
        "AuthorEmail": commit.author_email,
        "AuthorId": commit.author_email,
        "BranchName": branch,
        "CommitId": commit.id,
        "CommitMessage": commit.message,
        "ConnectionArn": arn,
        "FullRepositoryName": name,
        "ProviderType": found["ProviderType"],
    }
    return source_artifact.result(run, name, commit, variables)


def _check_role(run: ActionRun, arn: str, name: str, branch: str) -> None:
    """Refuse a role that may not use the connection, under either name of the action, in CodePipeline's words.

    https://docs.aws.amazon.com/dtconsole/latest/userguide/security-iam.html#permissions-reference-connections-use
    """
    refusals = []
    for service in connection.SERVICES:
        try:
            context = {f"{service}:fullrepositoryid": (name,), f"{service}:branchname": (branch,)}
            authorization.require(run.cloud, f"{service}:UseConnection", arn, context=context)
        except AwsError as error:
            refusals.append(error.message)
    if len(refusals) == len(connection.SERVICES):
        raise ActionFailed(
            f"Unable to use Connection: {arn}. The provided role does not have sufficient permissions: {refusals[0]}",
            "PermissionError",
        )
