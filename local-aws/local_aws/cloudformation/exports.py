"""Exports: outputs of one stack that other stacks import, unique in the region and fixed while they are in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import stack_record
from local_aws.cloudformation.refusals import refused
from local_aws.operations import CLOUDFORMATION


def imported(cloud: Cloud, name: str) -> str:
    """The value of an export; raises `AwsError` (ValidationError) where no stack exports that name."""
    for row in _exports(cloud):
        if row["Name"] == name:
            return str(row["Value"])
    raise refused(f"No export named {name} found.")


def check(cloud: Cloud, stack_id: str, outputs: Iterable[Mapping[str, Any]]) -> None:
    """Raise `AwsError` where the outputs a stack is to have take another's export, or change one that is in use."""
    wanted = {row["ExportName"]: row["OutputValue"] for row in outputs if "ExportName" in row}
    had = cloud.store.get(stack_record.KIND, stack_id).get("Outputs", [])
    if not wanted and not any("ExportName" in row for row in had):
        return
    for export in _exports(cloud):
        name = export["Name"]
        if export["ExportingStackId"] != stack_id:
            if name in wanted:
                owner = cloud.store.get(stack_record.KIND, export["ExportingStackId"])["StackName"]
                raise refused(f"Export with name {name} is already exported by stack {owner}.")
        elif wanted.get(name) != export["Value"]:
            users = _users(cloud, name)
            if users:
                what = "updated" if name in wanted else "deleted"
                raise refused(f"Export {name} cannot be {what} as it is in use by {', '.join(users)}")


def _exports(cloud: Cloud) -> list[dict[str, Any]]:
    return [
        {"ExportingStackId": body["StackId"], "Name": row["ExportName"], "Value": row["OutputValue"]}
        for body in cloud.store.all(stack_record.KIND, members=["StackId", "StackStatus", "Outputs"])
        if body["StackStatus"] != stack_record.GONE
        for row in body.get("Outputs", [])
        if "ExportName" in row
    ]


def _users(cloud: Cloud, name: str) -> list[str]:
    return [
        body["StackName"]
        for body in cloud.store.all(stack_record.KIND, members=["StackName", "StackStatus", "_imports"])
        if body["StackStatus"] != stack_record.GONE and name in body.get("_imports", [])
    ]


@CLOUDFORMATION.operation("ListExports")
def list_exports(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Every export of the region, by name."""
    return {"Exports": sorted(_exports(cloud), key=lambda row: row["Name"])}


@CLOUDFORMATION.operation("ListImports")
def list_imports(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The stacks that import an export; raises `AwsError` where there is none."""
    users = _users(cloud, request["ExportName"])
    if not users:
        raise refused(f"Export '{request['ExportName']}' is not imported by any stack.")
    return {"Imports": users}
