"""What a request wants a stack to be: its template found, its parameters taken, its capabilities and tags checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.cloudformation import blueprint, capabilities, exports, parameters, planner, rules, template
from local_aws.cloudformation.blueprint import Blueprint
from local_aws.cloudformation.parameters import Given
from local_aws.cloudformation.planner import Plan
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.stack_record import resources_of
from local_aws.cloudformation.template import Template
from local_aws.cloudformation.template_source import template_body


@dataclass(frozen=True)
class Proposal:
    """A blueprint, the plan to get there, and what a stack remembers of the request it came from."""

    blueprint: Blueprint
    plan: Plan
    given: Given
    capabilities: tuple[str, ...]
    imports: tuple[str, ...]

    @property
    def template(self) -> Template:
        return self.blueprint.template

    def stored(self) -> dict[str, Any]:
        """As keys of the stack's row."""
        declared = parameters.declared(self.template.parameters)
        return {
            **({"Description": self.template.description} if self.template.description else {}),
            "Parameters": parameters.described(declared, self.given),
            "Tags": [{"Key": key, "Value": value} for key, value in self.blueprint.tags],
            "Capabilities": list(self.capabilities),
            "_template": self.template.text,
            "_texts": self.given.texts,
            "_values": self.given.values,
            "_imports": list(self.imports),
        }


def propose(cloud: Cloud, request: Mapping[str, Any], stack: Mapping[str, Any]) -> Proposal:
    """Read a CreateStack, UpdateStack or CreateChangeSet request about a stack (its row, or what there is of one).

    Raises `AwsError` for whatever AWS refuses before it begins.
    """
    body = template_body(cloud, request, stack.get("_template"))
    loaded = template.load(body)
    capabilities.check(loaded, request.get("Capabilities", []))
    given = parameters.take(
        parameters.declared(loaded.parameters),
        request.get("Parameters", []),
        stack.get("_texts", {}),
        lambda name: _ssm(cloud, name),
    )
    tags = request.get("Tags", stack.get("Tags", []))
    _check_tags(tags)
    imports: list[str] = []
    drawn = draw(cloud, loaded, given.values, [(tag["Key"], tag["Value"]) for tag in tags], stack, imports)
    rules.check(loaded.rules, drawn.scope)
    for declared in [loaded.resources[name] for name in drawn.order]:
        if not re.fullmatch(r"\w+::\w+::[\w:]+", declared.type_name):
            raise refused(f"Template format error: Unrecognized resource types: [{declared.type_name}]")
    # Whatever a function cannot be carried out with comes to light here, before anything is made.
    plan = planner.plan(drawn, resources_of(stack) if "_resources" in stack else {})
    return Proposal(drawn, plan, given, tuple(request.get("Capabilities", [])), tuple(dict.fromkeys(imports)))


def draw(
    cloud: Cloud,
    loaded: Template,
    values: Mapping[str, Any],
    tags: list[tuple[str, str]],
    stack: Mapping[str, Any],
    imports: list[str],
) -> Blueprint:
    """The blueprint of a stack; the names of the exports it comes to use are added to `imports`."""

    def imported(name: str) -> str:
        imports.append(name)
        return exports.imported(cloud, name)

    settings = cloud.settings
    pseudo = {
        "AWS::AccountId": settings.account,
        "AWS::Region": settings.region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack["StackName"],
        "AWS::StackId": stack["StackId"],
        "AWS::NotificationARNs": stack.get("NotificationARNs", []),
    }
    return blueprint.draw(loaded, values, pseudo, tuple(tags), imported)


def _ssm(cloud: Cloud, name: str) -> str:
    try:
        return str(cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        raise refused(f"Unable to fetch parameters [{name}] from parameter store for this account.") from error


def _check_tags(tags: list[dict[str, str]]) -> None:
    names = [tag["Key"] for tag in tags]
    if len(set(names)) != len(names):
        raise refused("Duplicate tag keys found.")
    for name in names:
        if name.lower().startswith("aws:"):
            raise refused("aws: prefixed tag key names are not allowed for external use.")
