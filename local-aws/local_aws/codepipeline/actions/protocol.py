"""What an action is given, what it answers, and the table of who carries out which provider's actions.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


@dataclass(frozen=True)
class Artifact:
    """An artifact of an execution by its name in the pipeline, and the zip in S3 that holds it."""

    name: str
    bucket: str
    key: str


@dataclass(frozen=True)
class ActionRun:
    """One run of one action.

    `configuration` has its variables (`#{namespace.variable}`) replaced. `outputs` are where to put what the action
    makes. `role_arn` is the role to act as: the action's own, else the pipeline's. `revision` is the commit that a
    source action is told to take (None: the newest of its branch). `stopping` is set when the execution is stopped and
    abandoned. `report` tells the state while the action runs, by the names of ActionExecution in GetPipelineState
    (`externalExecutionId`, `externalExecutionUrl`, `summary`, `token`, `percentComplete`).
    """

    cloud: Cloud
    pipeline: str
    execution_id: str
    stage: str
    action: str
    action_execution_id: str
    configuration: Mapping[str, str]
    inputs: Mapping[str, Artifact]
    outputs: Mapping[str, Artifact]
    role_arn: str
    revision: str | None
    stopping: threading.Event
    report: Callable[..., None]


@dataclass(frozen=True)
class ActionResult:
    """How an action that succeeded ended.

    `variables` are what it offers in its namespace; a source action also names the `revision` it took (commit id) and
    its `revision_summary` (the commit's message).
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    external_execution_id: str = ""
    revision: str = ""
    revision_summary: str = ""
    revision_url: str = ""


class ActionFailed(Exception):
    """An action that did not succeed: its message, and the code of `errorDetails` (JobFailed, ConfigurationError)."""

    def __init__(self, message: str, code: str = "JobFailed") -> None:
        super().__init__(message)
        self.code = code


Provider = Callable[[ActionRun], ActionResult]
PROVIDERS: dict[tuple[str, str], Provider] = {}


def provider(category: str, name: str) -> Callable[[Provider], Provider]:
    """Register a function as the one that runs actions of this category and provider (owner AWS, version 1)."""

    def register(function: Provider) -> Provider:
        PROVIDERS[category, name] = function
        return function

    return register
