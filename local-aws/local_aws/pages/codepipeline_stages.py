"""The stages of a pipeline and their actions as they are shown: of the pipeline as it stands, and of one execution.

Read from GetPipelineState, GetPipeline and ListActionExecutions, whose members are named as in
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetPipelineState.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from local_aws.pages.site import Visit
from local_aws.pages.statuses import Status

Response = Mapping[str, Any]
_WAITING = Status("Waiting for approval", "waiting")
_NOT_RUN = Status("Not run", "quiet")


@dataclass(frozen=True)
class Revision:
    """What a source action took: the commit, its message, and where it can be read."""

    commit: str
    message: str
    url: str

    @property
    def short(self) -> str:
        return self.commit[:8]


@dataclass(frozen=True)
class Approval:
    """A question a person is to answer: what it is about, the address given with it, and the token of the answer."""

    stage: str
    action: str
    token: str
    message: str
    url: str
    execution_id: str


@dataclass(frozen=True)
class Action:
    """An action: `path` leads to its build, stack or whatever its provider names."""

    name: str
    provider: str
    status: Status
    at: datetime | None
    started: datetime | None
    summary: str
    error: str
    path: str
    revision: Revision | None


@dataclass(frozen=True)
class Stage:
    """A stage; `closed` is why nothing may enter it ("" where it may), `inbound` the execution that waits before it."""

    name: str
    status: Status
    execution_id: str
    actions: tuple[Action, ...]
    closed: str | None = None
    inbound: str = ""


def of_pipeline(visit: Visit, declared: Response, state: Response, details: Sequence[Response]) -> list[Stage]:
    """The stages with the latest execution of each. `details` are the newest ActionExecutionDetails."""
    declared_actions = _declared(declared)
    by_id = {each["actionExecutionId"]: each for each in details}
    stages = []
    for stage in state["stageStates"]:
        actions = []
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution", {})
            kind = declared_actions.get((stage["stageName"], action["actionName"]), {})
            detail = by_id.get(latest.get("actionExecutionId", ""))
            actions.append(_action(visit, action, latest, kind, detail))
        latest = stage.get("latestExecution", {})
        transition = stage.get("inboundTransitionState", {})
        waits = stage.get("inboundExecution", {}).get("pipelineExecutionId", "")
        stages.append(
            Stage(
                stage["stageName"],
                _stage_status(latest.get("status"), actions),
                latest.get("pipelineExecutionId", ""),
                tuple(actions),
                None if transition.get("enabled", True) else transition.get("disabledReason", ""),
                waits if waits != latest.get("pipelineExecutionId", "") else "",
            )
        )
    return stages


def of_execution(visit: Visit, declared: Response, details: Sequence[Response]) -> list[Stage]:
    """The stages as one execution has been through them; each action by its newest run."""
    newest: dict[tuple[str, str], Response] = {}
    for detail in details:
        newest.setdefault((detail["stageName"], detail["actionName"]), detail)
    stages = []
    for stage in declared["stages"]:
        actions = []
        for action in stage["actions"]:
            run = newest.get((stage["name"], action["name"]))
            latest = {} if run is None else _as_latest(run)
            actions.append(_action(visit, {"actionName": action["name"]}, latest, action, run))
        stages.append(Stage(stage["name"], _stage_status(None, actions), "", tuple(actions)))
    return stages


def approvals(state: Response, details_of: Callable[[str], Sequence[Response]]) -> list[Approval]:
    """What waits for a person. The message is the action's CustomData with its variables replaced.

    `details_of` answers the ActionExecutionDetails of an execution by its id.
    """
    found = []
    for stage in state["stageStates"]:
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution", {})
            if latest.get("status") == "InProgress" and latest.get("token"):
                execution_id = stage.get("latestExecution", {}).get("pipelineExecutionId", "")
                own = latest.get("actionExecutionId", "")
                detail = next((each for each in details_of(execution_id) if each["actionExecutionId"] == own), {})
                given = detail.get("input", {})
                texts = {**given.get("configuration", {}), **given.get("resolvedConfiguration", {})}
                found.append(
                    Approval(
                        stage["stageName"],
                        action["actionName"],
                        latest["token"],
                        texts.get("CustomData", ""),
                        texts.get("ExternalEntityLink", ""),
                        execution_id,
                    )
                )
    return found


def _declared(declared: Response) -> dict[tuple[str, str], Response]:
    return {(stage["name"], action["name"]): action for stage in declared["stages"] for action in stage["actions"]}


def _as_latest(detail: Response) -> dict[str, Any]:
    """An ActionExecutionDetail in the members of a state's `latestExecution`."""
    result = detail.get("output", {}).get("executionResult", {})
    return {
        "status": detail["status"],
        "lastStatusChange": detail.get("lastUpdateTime"),
        "summary": result.get("externalExecutionSummary", ""),
        "externalExecutionId": result.get("externalExecutionId", ""),
        "externalExecutionUrl": result.get("externalExecutionUrl", ""),
        "errorDetails": result.get("errorDetails", {}),
    }


def _action(visit: Visit, action: Response, latest: Response, kind: Response, detail: Response | None) -> Action:
    about = kind.get("actionTypeId", {})
    status = Status.of(latest["status"]) if "status" in latest else _NOT_RUN
    if about.get("category") == "Approval" and latest.get("status") == "InProgress":
        status = _WAITING
    error = latest.get("errorDetails", {}).get("message", "")
    revision = None
    if about.get("category") == "Source":
        revision = _revision(action, detail)
    return Action(
        action["actionName"],
        about.get("provider", ""),
        status,
        latest.get("lastStatusChange"),
        detail.get("startTime") if detail else None,
        "" if error else latest.get("summary", ""),
        error,
        _path(visit, about.get("provider", ""), latest),
        revision,
    )


def _revision(action: Response, detail: Response | None) -> Revision | None:
    variables = (detail or {}).get("output", {}).get("outputVariables", {})
    commit = variables.get("CommitId") or action.get("currentRevision", {}).get("revisionId", "")
    if not commit:
        return None
    return Revision(commit, variables.get("CommitMessage", ""), action.get("revisionUrl", ""))


def _path(visit: Visit, provider: str, latest: Response) -> str:
    """The page of what an action runs; an address of the provider's own is taken where it is one of a web page."""
    name = latest.get("externalExecutionId", "")
    if name and provider == "CodeBuild":
        return visit.addresses.build("build", {"build_id": name})
    if name.startswith("arn:") and provider == "CloudFormation":
        return visit.addresses.build("stack", {"name": name.split("/")[1]})
    url = str(latest.get("externalExecutionUrl", ""))
    # The git remote speaks to git alone.
    if urlsplit(url).path.startswith("/git/") and urlsplit(url).hostname == "127.0.0.1":
        return ""
    return url if url.startswith(("http://", "https://", "/_local/")) else ""


def _stage_status(name: str | None, actions: Sequence[Action]) -> Status:
    """The status of a stage: what it is said to be, or what its actions come to."""
    if any(action.status == _WAITING for action in actions):
        return _WAITING
    if name is not None:
        return Status.of(name)
    statuses = [action.status for action in actions]
    for tone in ("bad", "busy"):
        for status in statuses:
            if status.tone == tone:
                return status
    if all(status.tone == "good" for status in statuses):
        return Status.of("Succeeded")
    return _NOT_RUN if all(status == _NOT_RUN for status in statuses) else Status.of("InProgress")
