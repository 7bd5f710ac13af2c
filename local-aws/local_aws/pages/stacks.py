"""CloudFormation stacks: their resources, outputs and events."""

from __future__ import annotations

from werkzeug.wrappers import Response

from local_aws.cloudformation import stack_record
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status

_MOST_EVENTS = 200


@page("/_local/stacks/<name>")
def stack(visit: Visit, name: str) -> Response:
    """One stack."""
    body = stack_record.find(visit.cloud, name)
    if body is None:
        names = [
            row["StackName"]
            for row in visit.cloud.store.all(stack_record.KIND)
            if row["StackStatus"] != stack_record.GONE
        ]
        raise NotThere(f"There is no stack named {name}.", [Link(each, visit.path(stack, name=each)) for each in names])
    events = visit.cloud.store.all(stack_record.events_kind(body["StackId"]))
    status = Status.of(body["StackStatus"])
    return visit.show(
        "stack.html",
        title=body["StackName"],
        stack=body,
        resources=list(stack_record.resources_of(body).values()),
        events=events[: -_MOST_EVENTS - 1 : -1],
        more=max(0, len(events) - _MOST_EVENTS),
        moving=status.moving,
    )
