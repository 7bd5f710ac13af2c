"""A pipeline's execution of one commit as the person who pushed sees it: found, followed, approved, and its outcome.

Plain CodePipeline, CodeBuild and Logs calls; what they answer is parsed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PAUSE_SECONDS = 0.25
STARTS_WITHIN = 30.0
ENDS_WITHIN = 900.0
_ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}


class NotDelivered(Exception):
    """An execution that did not start, or did not end well; the message says which action and why."""


@dataclass(frozen=True)
class Delivery:
    """One execution of a pipeline; `say` is given a line for whatever changes, builds' own output included."""

    client: Callable[[str], Any]
    pipeline: str
    say: Callable[[str], None]

    def follow(self, commit: str, approve: Callable[[str], str] | None = None) -> dict[str, Any]:
        """Wait for the execution of a commit to start and to end; how it ended, for the summary.

        `approve` is called with the plan when an approval is waited for; its answer is given as the reviewer's words.
        Raises `NotDelivered`.
        """
        execution = self._started(commit)
        watched = _Watched()
        deadline = time.monotonic() + ENDS_WITHIN
        actions: list[dict[str, Any]] = []
        while True:
            # An execution does not end while an action is in progress: till then there is nothing to ask of it.
            busy = any(action["status"] == "InProgress" for action in actions)
            described = {} if busy else self._described(execution)
            actions = self._actions(execution)
            for action in actions:
                self._tell(action, watched)
                if _waits_for_a_person(action) and approve and action["actionName"] not in watched.approved:
                    self._approve(action, approve, watched)
            status = str(described.get("status", "InProgress"))
            if status in _ENDED:
                break
            if time.monotonic() > deadline:
                raise NotDelivered(f"{self.pipeline} has not ended within {ENDS_WITHIN:.0f} s: execution {execution}.")
            time.sleep(PAUSE_SECONDS)
        outcome: dict[str, Any] = {"id": execution, "pipeline": self.pipeline, "commit": commit, "status": status}
        outcome["stages"] = self._stages(actions)
        if status != "Succeeded":
            raise NotDelivered(self._why(actions, described, status))
        return outcome

    def _started(self, commit: str) -> str:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            listed = self.client("codepipeline").list_pipeline_executions(pipelineName=self.pipeline, maxResults=20)
            for summary in listed["pipelineExecutionSummaries"]:
                if any(revision.get("revisionId") == commit for revision in summary.get("sourceRevisions", [])):
                    return str(summary["pipelineExecutionId"])
            time.sleep(PAUSE_SECONDS)
        raise NotDelivered(f"{self.pipeline} did not start for commit {commit[:8]} within {STARTS_WITHIN:.0f} s.")

    def _described(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("codepipeline").get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=execution
        )["pipelineExecution"]
        return found

    def _actions(self, execution: str) -> list[dict[str, Any]]:
        """The actions that have started, in the order in which they did."""
        pages = self.client("codepipeline").get_paginator("list_action_executions")
        found = [
            action
            for page in pages.paginate(pipelineName=self.pipeline, filter={"pipelineExecutionId": execution})
            for action in page["actionExecutionDetails"]
        ]
        return sorted(found, key=lambda action: action["startTime"])

    def _tell(self, action: dict[str, Any], watched: _Watched) -> None:
        key, status = action["actionExecutionId"], action["status"]
        if watched.status.get(key) == status:
            if status == "InProgress":
                self._tell_output(action, watched)
            return
        self._tell_output(action, watched)
        watched.status[key] = status
        took = (action["lastUpdateTime"] - action["startTime"]).total_seconds()
        seconds = f" in {took:.1f} s" if status != "InProgress" else ""
        self.say(f"{action['stageName']} / {action['actionName']}: {status}{seconds}")

    def _tell_output(self, action: dict[str, Any], watched: _Watched) -> None:
        """What the commands of a build have printed since; the agent's own lines are for the page."""
        provider = action.get("input", {}).get("actionTypeId", {}).get("provider")
        build_id = action.get("output", {}).get("executionResult", {}).get("externalExecutionId")
        if provider != "CodeBuild" or not build_id:
            return
        for line in self._log(build_id, watched):
            if line.strip() and not line.startswith("[Container]"):
                self.say(f"    {line.rstrip()}")

    def _log(self, build_id: str, watched: _Watched) -> Iterator[str]:
        if build_id not in watched.places:
            builds = self.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
            place = builds[0].get("logs", {}) if builds else {}
            if not place.get("groupName") or not place.get("streamName"):
                return
            watched.places[build_id] = {"logGroupName": place["groupName"], "logStreamName": place["streamName"]}
        logs = self.client("logs")
        while True:
            token = {"nextToken": watched.tokens[build_id]} if build_id in watched.tokens else {}
            try:
                answer = logs.get_log_events(**watched.places[build_id], startFromHead=True, **token)
            except logs.exceptions.ResourceNotFoundException:
                return
            watched.tokens[build_id] = answer["nextForwardToken"]
            if not answer["events"]:
                return
            yield from (event["message"] for event in answer["events"])

    def _approve(self, action: dict[str, Any], approve: Callable[[str], str], watched: _Watched) -> None:
        state = self.client("codepipeline").get_pipeline_state(name=self.pipeline)
        waiting = next(
            (
                found["latestExecution"]
                for stage in state["stageStates"]
                for found in stage.get("actionStates", [])
                if found.get("latestExecution", {}).get("actionExecutionId") == action["actionExecutionId"]
                and found["latestExecution"].get("token")
            ),
            None,
        )
        if waiting is None:
            return
        words = approve(action["input"].get("resolvedConfiguration", {}).get("CustomData", ""))
        self.client("codepipeline").put_approval_result(
            pipelineName=self.pipeline,
            stageName=action["stageName"],
            actionName=action["actionName"],
            token=waiting["token"],
            result={"status": "Approved", "summary": words},
        )
        watched.approved.add(action["actionName"])

    def _stages(self, actions: list[dict[str, Any]]) -> list[dict[str, str]]:
        """The stages that were entered, in order, each with the status that its actions add up to."""
        statuses: dict[str, set[str]] = {}
        for action in actions:
            statuses.setdefault(action["stageName"], set()).add(action["status"])
        return [
            {"name": name, "status": "Succeeded" if found == {"Succeeded"} else "Failed"}
            for name, found in statuses.items()
        ]

    def _why(self, actions: list[dict[str, Any]], described: dict[str, Any], status: str) -> str:
        for action in actions:
            if action["status"] == "Failed":
                result = action.get("output", {}).get("executionResult", {})
                said = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
                return f"{self.pipeline}: {action['stageName']} / {action['actionName']} failed. {said}"
        return f"{self.pipeline} is {status}. {described.get('statusSummary', '')}"


@dataclass
class _Watched:
    """What has been told of an execution already."""

    status: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    # Where each build logs to, which stays the same.
    places: dict[str, dict[str, str]] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)


def _waits_for_a_person(action: dict[str, Any]) -> bool:
    kind = action.get("input", {}).get("actionTypeId", {})
    return kind.get("category") == "Approval" and action["status"] == "InProgress"
