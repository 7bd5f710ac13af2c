"""What a push is answered with: the pipelines it started and where to watch them, or why it started none."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from local_aws.codecommit import state_changes
from local_aws.codepipeline import listeners, triggers
from local_aws.codepipeline.listeners import Listener
from local_aws.codepipeline.triggers import Outcome
from local_aws.git_remote import repository

if TYPE_CHECKING:
    from local_aws.cloud import Cloud
    from local_aws.events import Delivery
    from local_aws.git_remote.push import Push, RefUpdate

# Two pushes at once: what they start is started one after the other, in the order in which they arrived.
_ARRIVING = threading.Lock()
# The commit that a reference of a repository was last told to be at. A push that git rejects beside another that it
# takes sees the other's update, and what follows from an update must follow once.
_TOLD: dict[tuple[str, str], str | None] = {}


def of(cloud: Cloud, push: Push) -> Sequence[str]:
    """Do what follows from a push, and tell it in lines for the one who pushed."""
    with _ARRIVING:
        repository.settle_head(cloud, push.repository)
        return [
            line for update in push.updates if _is_news(push, update) for line in _lines(cloud, push.repository, update)
        ]


def _is_news(push: Push, update: RefUpdate) -> bool:
    place = (push.repository, update.reference)
    news = update.old is None or _TOLD.get(place, update.old) != update.new
    _TOLD[place] = update.new
    return news


def _lines(cloud: Cloud, name: str, update: RefUpdate) -> Iterator[str]:
    told = state_changes.tell(cloud, name, update)
    by_rule = [_of_rule(delivery) for delivery in told if delivery.target.service == "codepipeline"]
    outcomes = [*by_rule, *triggers.pushed(cloud, name, update)]
    for outcome in outcomes:
        if outcome.execution_id:
            yield f"{outcome.pipeline}: started, execution {outcome.execution_id}"
            yield f"  watch it at {cloud.settings.endpoint_url}/_local/pipelines/{outcome.pipeline}"
        elif outcome.reason:
            yield f"{outcome.pipeline}: not started: {outcome.reason}."
    if update.new is not None and not any(outcome.execution_id or outcome.reason for outcome in outcomes):
        yield from _nobody(cloud, name, update)


def _of_rule(delivery: Delivery) -> Outcome:
    pipeline = delivery.target.arn.rpartition(":")[2]
    reason = f"by the rule {delivery.target.rule}: {delivery.failure}" if delivery.failure else ""
    return Outcome(pipeline, delivery.result, reason)


def _nobody(cloud: Cloud, name: str, update: RefUpdate) -> Iterator[str]:
    what = (
        f"branch {update.branch}" if update.branch is not None else f"tag {update.tag}" if update.tag else "reference"
    )
    there = listeners.of(cloud, name)
    if not there:
        others = sorted({listener.repository for listener in listeners.every(cloud)})
        listed = f" Listened to: {', '.join(others)}." if others else ""
        yield f"No pipeline listens to the repository {name}.{listed}"
        return
    yield f"No pipeline listens to the {what} of {name}. Listened to:"
    for listener in there:
        yield f"  {listener.pipeline}: {_listened_to(listener)}"


def _listened_to(listener: Listener) -> str:
    """The branches and tags that may start a pipeline, in words."""
    if listener.filters is None:
        if listener.detects:
            return f"branch {listener.branch}"
        by = "a rule of EventBridge" if listener.provider == listeners.CODECOMMIT else "hand: it detects no changes"
        return f"branch {listener.branch}, when started by {by}"
    if not listener.filters:
        return "pull requests only, which local-aws does not have"
    return "; ".join(
        f"tags {each.tags}" if each.tags else f"branches {each.branches or 'all'}" for each in listener.filters
    )
