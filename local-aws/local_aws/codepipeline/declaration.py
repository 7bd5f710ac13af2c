"""A pipeline as it is declared: stages of actions, what they take and make, and how they are started.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

SUPERSEDED, QUEUED, PARALLEL = "SUPERSEDED", "QUEUED", "PARALLEL"


@dataclass(frozen=True)
class ActionType:
    """What an action is of; only the owner AWS and version 1 are known here."""

    category: str
    owner: str
    provider: str
    version: str

    @property
    def shown(self) -> dict[str, str]:
        """As `actionTypeId` of the API."""
        return {
            "category": self.category,
            "owner": self.owner,
            "provider": self.provider,
            "version": self.version,
        }


@dataclass(frozen=True)
class Action:
    """One action of a stage.

    Actions of the same `run_order` run at the same time. `timeout_minutes` is None where the action type's own limit
    holds.
    """

    name: str
    type: ActionType
    run_order: int
    configuration: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    role_arn: str | None
    region: str | None
    namespace: str | None
    timeout_minutes: int | None


@dataclass(frozen=True)
class Stage:
    """One stage; `on_failure` is FAIL, RETRY or ROLLBACK, `retry_mode` FAILED_ACTIONS or ALL_ACTIONS."""

    name: str
    actions: tuple[Action, ...]
    on_failure: str
    retry_mode: str

    @property
    def groups(self) -> list[list[Action]]:
        """The actions in the order they run, those that run together in one list."""
        ordered = sorted(self.actions, key=lambda action: action.run_order)
        return [list(group) for _, group in groupby(ordered, key=lambda action: action.run_order)]


@dataclass(frozen=True)
class Pipeline:
    """A whole declaration. `variables` are the pipeline's own, with their default or None."""

    name: str
    version: int
    role_arn: str
    execution_mode: str
    bucket: str
    stages: tuple[Stage, ...]
    variables: Mapping[str, str | None]

    def stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    def after(self, name: str) -> Stage | None:
        """The stage that follows another, or None after the last."""
        names = [stage.name for stage in self.stages]
        following = self.stages[names.index(name) + 1 :]
        return following[0] if following else None

    @property
    def actions(self) -> Iterator[Action]:
        """All actions, in the order they would run."""
        for stage in self.stages:
            for group in stage.groups:
                yield from group

    @property
    def sources(self) -> tuple[Action, ...]:
        """The actions that the pipeline begins with."""
        return self.stages[0].actions


def read(pipeline: Mapping[str, Any]) -> Pipeline:
    """A declaration in the shape of the API, already checked against its contract, as values."""
    store: Mapping[str, Any] = pipeline.get("artifactStore") or next(
        iter((pipeline.get("artifactStores") or {}).values()), {}
    )
    return Pipeline(
        name=pipeline["name"],
        version=pipeline.get("version", 1),
        role_arn=pipeline["roleArn"],
        execution_mode=pipeline.get("executionMode", SUPERSEDED),
        bucket=store.get("location", ""),
        stages=tuple(_stage(stage) for stage in pipeline["stages"]),
        variables={variable["name"]: variable.get("defaultValue") for variable in pipeline.get("variables", [])},
    )


def _stage(stage: Mapping[str, Any]) -> Stage:
    on_failure = stage.get("onFailure", {})
    return Stage(
        name=stage["name"],
        actions=tuple(_action(action) for action in stage["actions"]),
        on_failure=on_failure.get("result", "FAIL"),
        retry_mode=on_failure.get("retryConfiguration", {}).get("retryMode", "FAILED_ACTIONS"),
    )


def _action(action: Mapping[str, Any]) -> Action:
    kind = action["actionTypeId"]
    return Action(
        name=action["name"],
        type=ActionType(kind["category"], kind["owner"], kind["provider"], kind["version"]),
        run_order=action.get("runOrder", 1),
        configuration=action.get("configuration", {}),
        inputs=tuple(artifact["name"] for artifact in action.get("inputArtifacts", [])),
        outputs=tuple(artifact["name"] for artifact in action.get("outputArtifacts", [])),
        role_arn=action.get("roleArn"),
        region=action.get("region"),
        namespace=action.get("namespace"),
        timeout_minutes=action.get("timeoutInMinutes"),
    )
