"""Why a deployment failed: the first thing that went wrong in the stack's events, the endpoint's own reason,
and the last lines its container wrote."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

_LOG_LINES = 20
# CloudFormation stops the siblings of what failed, and says so of each.
_CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")


@dataclass(frozen=True)
class Failure:
    """What went wrong, in one sentence, and the lines that show it."""

    reason: str
    evidence: tuple[str, ...]


def diagnose(cloudformation: Any, sagemaker: Any, logs: Any, stack_name: str, before: set[str]) -> Failure:
    """Gather what is known of a failed deployment; events in `before` (their ids) belong to earlier ones."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_name)
    events = [event for page in pages for event in page["StackEvents"] if event["EventId"] not in before]
    failed = [
        event
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
        and not event.get("ResourceStatusReason", "").startswith(_CONSEQUENCES)
    ]
    # The stack's own event only lists which of its resources failed.
    causes = [event for event in failed if event["LogicalResourceId"] != stack_name] or failed
    reasons = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason is given')}" for event in causes
    ]
    endpoint_reason = _endpoint_reason(sagemaker, stack_name)
    evidence = [f"stack: {reason}" for reason in reasons]
    evidence += [f"endpoint: {reason}" for reason in endpoint_reason]
    evidence += [f"log: {line}" for line in _last_log_lines(logs, f"/aws/sagemaker/Endpoints/{stack_name}")]
    return Failure(reasons[0] if reasons else "CloudFormation names no reason.", tuple(evidence))


def _endpoint_reason(sagemaker: Any, endpoint_name: str) -> list[str]:
    try:
        reason = sagemaker.describe_endpoint(EndpointName=endpoint_name).get("FailureReason")
    except ClientError as error:
        # A role that may not look must not hide what the stack said; an endpoint that never came to be has no reason.
        absent = error.response["Error"]["Code"] in ("ValidationException", "ValidationError")
        return [] if absent else [f"it cannot be asked: {error}"]
    return [reason] if reason else []


def _last_log_lines(logs: Any, group: str) -> list[str]:
    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
        if not streams["logStreams"]:
            return []
        stream = streams["logStreams"][0]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=_LOG_LINES, startFromHead=False)
    except ClientError as error:
        absent = error.response["Error"]["Code"] == "ResourceNotFoundException"
        return [] if absent else [f"it cannot be read: {error}"]
    return [event["message"].rstrip() for event in events["events"]]
