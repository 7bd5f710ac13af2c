"""What a push means for the pipelines that listen to its repository: each is started, or is told why it is not.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-triggers.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_aws.codepipeline import executions, listeners
from local_aws.codepipeline.glob_pattern import InvalidPattern
from local_aws.codepipeline.listeners import Listener
from local_aws.connections import connection
from local_aws.errors import AwsError
from local_aws.git_remote import repository

if TYPE_CHECKING:
    from local_aws.cloud import Cloud
    from local_aws.git_remote.push import RefUpdate


@dataclass(frozen=True)
class Outcome:
    """What a push of one reference meant for one pipeline.

    `execution_id` is that of the execution it started. Else `reason` says why it started none, or is empty where the
    pipeline does not listen to such a reference at all.
    """

    pipeline: str
    execution_id: str = ""
    reason: str = ""


def pushed(cloud: Cloud, name: str, update: RefUpdate) -> list[Outcome]:
    """Start the pipelines that listen to a reference of a repository; one outcome for each source action on it.

    What is deleted starts nothing.
    """
    if update.new is None:
        return []
    changed: list[list[str] | None] = []

    def files() -> list[str] | None:
        if not changed:
            old, new = update.old, update.new
            changed.append(repository.changed_files(cloud, name, old, new) if old and new else None)
        return changed[0]

    return [_outcome(cloud, listener, update, files) for listener in listeners.of(cloud, name)]


def _outcome(cloud: Cloud, listener: Listener, update: RefUpdate, files: Callable[[], list[str] | None]) -> Outcome:
    try:
        reason = _why_not(listener, update, files)
    except InvalidPattern as error:
        reason = f"its trigger is not valid: {error}"
    if reason is None and listener.provider == listeners.CONNECTION:
        reason = _why_deaf(cloud, listener)
    if reason is not None:
        return Outcome(listener.pipeline, reason=reason)
    commit = repository.commit(cloud, listener.repository, update.reference)
    detail, kind = _trigger(listener, update, commit.id)
    try:
        started = executions.start(cloud, listener.pipeline, kind, detail, revisions={listener.action: commit.id})
    except AwsError as error:
        return Outcome(listener.pipeline, reason=error.message)
    return Outcome(listener.pipeline, execution_id=started)


def _why_not(listener: Listener, update: RefUpdate, files: Callable[[], list[str] | None]) -> str | None:
    """Why a push does not start a pipeline (empty: it is of no concern to it), or None where it does."""
    if listener.filters is None:
        if not listener.detects or update.branch != listener.branch:
            return ""
        return None
    if update.tag is not None:
        return None if any(each.admits_tag(update.tag) for each in listener.filters) else ""
    branch = update.branch
    on_branch = [each for each in listener.filters if branch is not None and each.admits_branch(branch)]
    if not on_branch:
        return ""
    if any(each.files is None for each in on_branch) or any(each.admits_files(files()) for each in on_branch):
        return None
    wanted = " or ".join(f"({each.files})" for each in on_branch)
    return _none_matches(update, files(), wanted)


def _none_matches(update: RefUpdate, files: Sequence[str] | None, wanted: str) -> str:
    if files is None and update.old is None:
        return (
            f"the branch {update.branch} is new, so there is no list of changed files for its file paths {wanted}, "
            "as on AWS. The next push to it has one"
        )
    if files is None:
        return f"the commit it was at is gone, so there is no list of changed files for its file paths {wanted}"
    counted = "no file changed" if not files else f"none of {len(files)} changed file{'s'[: len(files) > 1]}"
    return f"{counted} matches its file paths {wanted}"


def _why_deaf(cloud: Cloud, listener: Listener) -> str | None:
    """Why the provider's pushes do not reach a source action through its connection, or None where they do."""
    try:
        found = connection.named(cloud, listener.connection)
    except AwsError as error:
        return error.message
    return connection.why_not_available(cloud, found)


def _trigger(listener: Listener, update: RefUpdate, commit_id: str) -> tuple[str, str]:
    """Detail and type of the trigger of an execution, as GetPipelineExecution shows them."""
    if listener.provider == listeners.CODECOMMIT:
        return f"{listener.repository} {update.reference}", "PollForSourceChanges"
    reference = {"TagName": update.tag} if update.tag is not None else {"BranchName": update.branch}
    shown = {
        "ConnectionArn": listener.connection,
        "FullRepositoryName": listener.repository,
        **reference,
        "CommitId": commit_id,
    }
    return json.dumps(shown), "WebhookV2"
