"""What can be asked about templates: whether one is sound, what it needs, and which one a stack has."""

from __future__ import annotations

import json
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import capabilities, graph, parameters, stack_record, template
from local_aws.cloudformation.change_sets import get_change_set
from local_aws.cloudformation.parameters import Parameter
from local_aws.cloudformation.refusals import refused
from local_aws.cloudformation.template import Template
from local_aws.cloudformation.template_source import template_body
from local_aws.operations import CLOUDFORMATION


@CLOUDFORMATION.operation("ValidateTemplate")
def validate_template(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Read a template as a stack operation would; answers its parameters and the capabilities it needs."""
    loaded = template.load(template_body(cloud, request, None))
    graph.order(loaded)
    declared = parameters.declared(loaded.parameters).values()
    return {"Parameters": [_brief(parameter) for parameter in declared], **_about(loaded)}


@CLOUDFORMATION.operation("GetTemplateSummary")
def get_template_summary(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """What a template declares, be it given or a stack's."""
    if request.get("StackName"):
        text = str(stack_record.get(cloud, request["StackName"]).get("_template", ""))
    else:
        text = template_body(cloud, request, None)
    loaded = template.load(text)
    return {
        "Parameters": [_full(parameter) for parameter in parameters.declared(loaded.parameters).values()],
        "ResourceTypes": loaded.resource_types(),
        **({"Version": loaded.version} if loaded.version else {}),
        **({"Metadata": json.dumps(loaded.metadata)} if loaded.metadata else {}),
        **_about(loaded),
    }


@CLOUDFORMATION.operation("GetTemplate")
def get_template(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The text of a stack's or a change set's template."""
    if request.get("ChangeSetName"):
        text = get_change_set(cloud, request)["_template"]
    else:
        text = stack_record.get(cloud, request["StackName"]).get("_template")
        if text is None:
            raise refused(f"Stack {request['StackName']} is in REVIEW_IN_PROGRESS and has no template yet.")
    return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}


def _brief(parameter: Parameter) -> dict[str, Any]:
    return {
        "ParameterKey": parameter.name,
        "NoEcho": parameter.no_echo,
        **({"DefaultValue": parameter.default} if parameter.default is not None else {}),
        **({"Description": parameter.description} if parameter.description else {}),
    }


def _full(parameter: Parameter) -> dict[str, Any]:
    constraints = {
        **({"AllowedValues": list(parameter.allowed_values)} if parameter.allowed_values else {}),
    }
    return {**_brief(parameter), "ParameterType": parameter.type_name, "ParameterConstraints": constraints}


def _about(loaded: Template) -> dict[str, Any]:
    need = capabilities.needed(loaded)
    return {
        **({"Description": loaded.description} if loaded.description else {}),
        **({"Capabilities": [need[0]], "CapabilitiesReason": need[1]} if need else {}),
    }
