"""The record of a build, as BatchGetBuilds answers it: it is made when the build is asked for and follows its phases.

Every change of it is an event, too:
https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local_aws import events
from local_aws.cloud import Cloud
from local_aws.codebuild.failure import PhaseFailed
from local_aws.store import now

KIND = "codebuild_build"
SUCCEEDED, FAILED, STOPPED, TIMED_OUT, FAULT = "SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT", "FAULT"
IN_PROGRESS = "IN_PROGRESS"
_MESSAGE = 4096


class Record:
    """The record of the build `name` while it runs."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self._cloud, self.name = cloud, name

    @property
    def body(self) -> dict[str, Any]:
        return self._cloud.store.get(KIND, self.name)

    def update(self, **changes: Any) -> None:
        """Write changes of members."""
        self._cloud.store.update(KIND, self.name, changes)

    def begin(self, phase: str) -> None:
        """A phase begins, and the one before, where it has not ended yet, has succeeded."""
        at = now()
        phases = self._ended(self.body["phases"], SUCCEEDED, [], at)
        phases.append({"phaseType": phase, "startTime": at})
        self._phases(phases, currentPhase=phase)

    def end(self, status: str, contexts: list[PhaseFailed]) -> None:
        """The phase that runs has ended."""
        self._phases(self._ended(self.body["phases"], status, contexts, now()))

    def complete(self, status: str, **changes: Any) -> None:
        """The build has ended."""
        at = now()
        phases = self._ended(self.body["phases"], SUCCEEDED, [], at)
        phases.append({"phaseType": "COMPLETED", "startTime": at})
        self._phases(phases, currentPhase="COMPLETED", buildStatus=status, endTime=at, buildComplete=True, **changes)
        self.tell_state()

    def tell_state(self) -> None:
        """Send the event of the build's state as it is."""
        body = self.body
        detail = {
            **_common(self._cloud, body),
            "build-status": body["buildStatus"],
            "current-phase": body["currentPhase"],
            "current-phase-context": "[]",
        }
        events.emit(self._cloud, "aws.codebuild", "CodeBuild Build State Change", detail, [body["arn"]])

    def _phases(self, phases: list[dict[str, Any]], **changes: Any) -> None:
        before = len([phase for phase in self.body["phases"] if "endTime" in phase])
        self.update(phases=phases, **changes)
        body = self.body
        for phase in [phase for phase in phases if "endTime" in phase][before:]:
            detail = {
                **_common(self._cloud, body),
                "completed-phase": phase["phaseType"],
                "completed-phase-status": phase["phaseStatus"],
                "completed-phase-context": _contexts(phase),
                "completed-phase-duration-seconds": phase["durationInSeconds"],
                "completed-phase-start": _time(phase["startTime"]),
                "completed-phase-end": _time(phase["endTime"]),
            }
            events.emit(self._cloud, "aws.codebuild", "CodeBuild Build Phase Change", detail, [body["arn"]])

    @staticmethod
    def _ended(
        phases: list[dict[str, Any]], status: str, contexts: list[PhaseFailed], at: datetime
    ) -> list[dict[str, Any]]:
        if not phases or "endTime" in phases[-1]:
            return [*phases]
        told = [{"statusCode": context.code, "message": context.message[:_MESSAGE]} for context in contexts]
        last = {
            **phases[-1],
            "phaseStatus": status,
            "endTime": at,
            "durationInSeconds": int((at - phases[-1]["startTime"]).total_seconds()),
            "contexts": told or [{"statusCode": "", "message": ""}],
        }
        return [*phases[:-1], last]


def _common(cloud: Cloud, body: Mapping[str, Any]) -> dict[str, Any]:
    logs = body["logs"]
    return {
        "project-name": body["projectName"],
        "build-id": body["arn"],
        "version": "1",
        "additional-information": {
            "artifact": {"location": body.get("artifacts", {}).get("location", "")},
            "environment": {
                "image": body["environment"]["image"],
                "privileged-mode": body["environment"].get("privilegedMode", False),
                "compute-type": body["environment"]["computeType"],
                "type": body["environment"]["type"],
                "environment-variables": [
                    {"name": item["name"], "value": item["value"], "type": item.get("type", "PLAINTEXT")}
                    for item in body["environment"].get("environmentVariables", [])
                ],
            },
            "timeout-in-minutes": body["timeoutInMinutes"],
            "build-complete": body["buildComplete"],
            "build-number": body["buildNumber"],
            "initiator": body["initiator"],
            "build-start-time": _time(body["startTime"]),
            "source": {"type": body["source"]["type"], "location": body["source"].get("location", "")},
            "source-version": body.get("sourceVersion", ""),
            "logs": {
                "group-name": logs.get("groupName", ""),
                "stream-name": logs.get("streamName", ""),
                "deep-link": logs["deepLink"],
            },
            "phases": [_phase(phase) for phase in body["phases"]],
        },
    }


def _phase(phase: Mapping[str, Any]) -> dict[str, Any]:
    if "endTime" not in phase:
        return {"phase-type": phase["phaseType"], "start-time": _time(phase["startTime"])}
    return {
        "phase-type": phase["phaseType"],
        "phase-status": phase["phaseStatus"],
        "phase-context": [_contexts(phase)],
        "start-time": _time(phase["startTime"]),
        "end-time": _time(phase["endTime"]),
        "duration-in-seconds": phase["durationInSeconds"],
    }


def _contexts(phase: Mapping[str, Any]) -> str:
    told = [f"{item['statusCode']}: {item['message']}" for item in phase["contexts"]]
    return f"[{', '.join(told)}]"


def _time(at: datetime) -> str:
    return at.strftime("%b %-d, %Y %-I:%M:%S %p")
