"""What a build that failed is told of in its action: the phase, its context, and the last that its command printed."""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.principal import ADMINISTRATOR, acting_as

# The agent's own lines begin so, all others are what commands have printed.
_AGENT = "[Container]"
_LINES, _LETTERS = 5, 800
PRINTED = "The last it printed:"
_NEWEST = 400


def told(cloud: Cloud, build: dict[str, Any]) -> str:
    """One message for a build, in the shape of BatchGetBuilds, that has ended other than well."""
    message = f"Build {build['id']} ended {build['buildStatus']}"
    bad = [phase for phase in build.get("phases", []) if phase.get("phaseStatus") not in (None, "SUCCEEDED")]
    if not bad:
        return f"{message}."
    phase = bad[0]["phaseType"]
    contexts = [context["message"] for context in bad[0].get("contexts", []) if context.get("message")]
    message = f"{message} in phase {phase}" + (f": {'; '.join(contexts)}" if contexts else ".")
    printed = "\n".join(_last_lines(cloud, build, phase))[-_LETTERS:]
    return f"{message}\n{PRINTED}\n{printed}" if printed else message


def _last_lines(cloud: Cloud, build: dict[str, Any], phase: str) -> list[str]:
    """What the command that failed has printed last, from the build's log, if it has one."""
    place = build.get("logs", {})
    if "groupName" not in place or "streamName" not in place:
        return []
    # Whoever may read the pipeline sees it here, whether or not the action's role may read logs.
    with acting_as(ADMINISTRATOR):
        logs = cloud.client("logs")
        try:
            events = logs.get_log_events(
                logGroupName=place["groupName"], logStreamName=place["streamName"], limit=_NEWEST
            )["events"]
        except logs.exceptions.ResourceNotFoundException:
            # A project may keep no logs.
            return []
    lines = [line for event in events for line in event["message"].splitlines()]
    end = next(
        (index for index, line in enumerate(lines) if f"Phase complete: {phase} State: FAILED" in line), len(lines)
    )
    printed: list[str] = []
    for line in reversed(lines[:end]):
        if line.startswith(_AGENT) and "Running command" in line:
            break
        if line.strip() and not line.startswith(_AGENT):
            printed.append(line)
    return printed[:_LINES][::-1]
