"""Stacks of one cloud, and what their events tell."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest


class Stacks:
    """Stacks of one cloud, by name: made, changed and unmade to the end of what happens to them."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.cloudformation = cloud.client("cloudformation")

    def name(self) -> str:
        return f"stack-{uuid.uuid4().hex[:8]}"

    def request(self, template: str, parameters: dict[str, str], more: dict[str, Any]) -> dict[str, Any]:
        """What CreateStack and UpdateStack take."""
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        return {"TemplateBody": template, "Parameters": given, "Capabilities": ["CAPABILITY_NAMED_IAM"], **more}

    def create(self, template: str, parameters: dict[str, str] | None = None, **more: Any) -> str:
        """Make a stack under a new name and wait for its end, whatever that is."""
        name = more.pop("StackName", None) or self.name()
        self.cloudformation.create_stack(StackName=name, **self.request(template, parameters or {}, more))
        self.settled(name)
        return name

    def update(self, name: str, template: str, parameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Change a stack; its description once that has ended."""
        self.cloudformation.update_stack(StackName=name, **self.request(template, parameters or {}, more))
        return self.settled(name)

    def delete(self, name: str, **more: Any) -> dict[str, Any]:
        """Unmake a stack; its description once that has ended."""
        stack_id = self.describe(name)["StackId"]
        self.cloudformation.delete_stack(StackName=name, **more)
        return self.settled(stack_id)

    def describe(self, name: str) -> dict[str, Any]:
        return dict(self.cloudformation.describe_stacks(StackName=name)["Stacks"][0])

    def status(self, name: str) -> str:
        return str(self.describe(name)["StackStatus"])

    def settled(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The description of a stack once nothing happens to it any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            stack = self.describe(name)
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.05)
        pytest.fail(f"still {stack['StackStatus']} after {seconds} s: {self.told(name)}")

    def outputs(self, name: str) -> dict[str, str]:
        return {row["OutputKey"]: row["OutputValue"] for row in self.describe(name).get("Outputs", [])}

    def resources(self, name: str) -> dict[str, str]:
        """The physical ids of a stack's resources by their logical ones."""
        rows = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {row["LogicalResourceId"]: row.get("PhysicalResourceId", "") for row in rows}

    def told(self, name: str) -> list[tuple[str, str, str]]:
        """The events, oldest first: logical id, status, reason."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason", ""))
            for event in reversed(events)
        ]

    def reason(self, name: str, logical_id: str, status: str) -> str:
        """Why a resource came into a state, by its last event of that state."""
        return [told for told in self.told(name) if told[:2] == (logical_id, status)][-1][2]
