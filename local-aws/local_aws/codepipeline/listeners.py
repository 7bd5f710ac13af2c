"""Which pipelines listen to a repository: their source actions, and how each learns of a push.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-triggers.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws.codepipeline import definitions, push_filters
from local_aws.codepipeline.push_filters import PushFilter

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

CONNECTION, CODECOMMIT = "CodeStarSourceConnection", "CodeCommit"
_REPOSITORY = {CONNECTION: "FullRepositoryId", CODECOMMIT: "RepositoryName"}


@dataclass(frozen=True)
class Listener:
    """One source action on a repository.

    `filters` are those of its trigger, or None where it has no trigger, or one without filters: then every push to
    `branch` counts, if it `detects` changes by itself at all. An empty tuple is a trigger for pull requests only.
    """

    pipeline: str
    action: str
    provider: str
    repository: str
    branch: str
    connection: str
    detects: bool
    filters: tuple[PushFilter, ...] | None


def every(cloud: Cloud) -> list[Listener]:
    """The source actions of all pipelines that read a repository, in the order the pipelines were made."""
    pipelines = (body["pipeline"] for body in cloud.store.all(definitions.KIND))
    return [listener for pipeline in pipelines for listener in _of(pipeline)]


def of(cloud: Cloud, repository: str) -> list[Listener]:
    """Those of them that read one repository."""
    return [listener for listener in every(cloud) if listener.repository == repository]


def _of(pipeline: Mapping[str, Any]) -> Iterator[Listener]:
    triggers = {
        trigger["gitConfiguration"]["sourceActionName"]: trigger["gitConfiguration"]
        for trigger in pipeline.get("triggers", [])
    }
    for action in pipeline["stages"][0]["actions"]:
        provider, settings = action["actionTypeId"]["provider"], action.get("configuration", {})
        if provider not in _REPOSITORY:
            continue
        trigger = triggers.get(action["name"], {})
        filtered = bool(trigger.get("push") or trigger.get("pullRequest"))
        wanted = settings.get("DetectChanges" if provider == CONNECTION else "PollForSourceChanges", "true")
        yield Listener(
            pipeline=pipeline["name"],
            action=action["name"],
            provider=provider,
            repository=settings.get(_REPOSITORY[provider], ""),
            branch=settings.get("BranchName", ""),
            connection=settings.get("ConnectionArn", ""),
            detects=wanted.lower() != "false",
            filters=push_filters.read(trigger) if filtered else None,
        )
