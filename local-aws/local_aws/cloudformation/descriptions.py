"""What can be asked about stacks: their state, their events and their resources."""

from __future__ import annotations

import json
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import stack_record
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.resource import Resource
from local_aws.operations import CLOUDFORMATION
from local_aws.store import Body

_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}
_PAGE = 100


@CLOUDFORMATION.operation("DescribeStacks")
def describe_stacks(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """One stack by name or id, or all that are not deleted."""
    if request.get("StackName"):
        stacks = [stack_record.get(cloud, request["StackName"])]
    else:
        stacks = [
            body for body in reversed(cloud.store.all(stack_record.KIND)) if body["StackStatus"] != stack_record.GONE
        ]
    page, token = _page([_public(stack) for stack in stacks], request)
    return {"Stacks": page, **token}


@CLOUDFORMATION.operation("ListStacks")
def list_stacks(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of all stacks, deleted ones included, newest first."""
    wanted = request.get("StackStatusFilter")
    rows = []
    for body in reversed(cloud.store.all(stack_record.KIND)):
        if wanted and body["StackStatus"] not in wanted:
            continue
        rows.append({**_public(body), "TemplateDescription": body.get("Description")})
    page, token = _page(rows, request)
    return {"StackSummaries": page, **token}


@CLOUDFORMATION.operation("DescribeStackEvents")
def describe_stack_events(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """What happened to a stack, newest first."""
    stack = stack_record.get(cloud, request["StackName"])
    events = cloud.store.all(stack_record.events_kind(stack["StackId"]))
    page, token = _page(list(reversed(events)), request)
    return {"StackEvents": page, **token}


@CLOUDFORMATION.operation("DescribeStackResource")
def describe_stack_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """One resource of a stack."""
    stack = stack_record.get(cloud, request["StackName"])
    resource = _named(stack, request["LogicalResourceId"])
    metadata = {} if resource.metadata is None else {"Metadata": json.dumps(resource.metadata)}
    times = {"LastUpdatedTimestamp": resource.changed}
    return {"StackResourceDetail": {**_resource(stack, resource), **times, **metadata}}


@CLOUDFORMATION.operation("DescribeStackResources")
def describe_stack_resources(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The resources of a stack, or those of the stack that a physical id belongs to."""
    physical_id = request.get("PhysicalResourceId")
    if bool(request.get("StackName")) == bool(physical_id):
        raise refused("Either StackName or PhysicalResourceId must be specified, and not both.")
    stack = _owner(cloud, physical_id) if physical_id else stack_record.get(cloud, request["StackName"])
    wanted = request.get("LogicalResourceId")
    resources = [_named(stack, wanted)] if wanted else stack_record.resources_of(stack).values()
    return {"StackResources": [{**_resource(stack, each), "Timestamp": each.changed} for each in resources]}


@CLOUDFORMATION.operation("ListStackResources")
def list_stack_resources(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of the resources of a stack, in the order they were made."""
    stack = stack_record.get(cloud, request["StackName"])
    rows = [
        {**_resource(stack, resource), "LastUpdatedTimestamp": resource.changed}
        for resource in stack_record.resources_of(stack).values()
    ]
    page, token = _page(rows, request)
    return {"StackResourceSummaries": page, **token}


def _public(body: Body) -> dict[str, Any]:
    return {key: value for key, value in body.items() if not key.startswith("_")}


def _resource(stack: Body, resource: Resource) -> dict[str, Any]:
    return {
        "StackName": stack["StackName"],
        "StackId": stack["StackId"],
        "LogicalResourceId": resource.logical_id,
        **({"PhysicalResourceId": resource.physical_id} if resource.physical_id else {}),
        "ResourceType": resource.type_name,
        "ResourceStatus": resource.status,
        **({"ResourceStatusReason": resource.reason} if resource.reason else {}),
        "DriftInformation": _DRIFT,
    }


def _named(stack: Body, logical_id: str) -> Resource:
    found = stack_record.resources_of(stack).get(logical_id)
    if found is None:
        raise refused(f"Resource {logical_id} does not exist for stack {stack['StackName']}")
    return found


def _owner(cloud: Cloud, physical_id: str) -> Body:
    for stack in cloud.store.all(stack_record.KIND):
        for resource in stack_record.resources_of(stack).values():
            if resource.physical_id == physical_id and stack["StackStatus"] != stack_record.GONE:
                return stack
    raise refused(f"Stack for {physical_id} does not exist")


def _page(rows: list[dict[str, Any]], request: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    try:
        start = int(request.get("NextToken", "0"))
    except ValueError:
        raise refused(f"Invalid pagination token: {request['NextToken']!r}") from None
    end = start + _PAGE
    return rows[start:end], {"NextToken": str(end)} if end < len(rows) else {}
