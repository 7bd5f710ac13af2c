"""The stack behind a SageMaker project: made, updated and unmade by CloudFormation on the project's behalf.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CfnTemplateProviderDetail.html
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from local_aws.cloud import Cloud
from local_aws.cloudformation import template
from local_aws.cloudformation.template_source import template_body
from local_aws.errors import AwsError

# AWS's policy for Studio users names the stacks of S3 templates so, beside SC-* of Service Catalog.
# https://github.com/aws-samples/sagemaker-custom-project-templates (s3_templates/.../iam/cfn-stack-sm-projects.json)
_PREFIX = "SP"
_NAME_PARAMETER = "SageMakerProjectName"
_ID_PARAMETER = "SageMakerProjectId"
_NOTHING_TO_DO = "No updates are to be performed."


@dataclass(frozen=True)
class Provisioned:
    """How far CloudFormation got: the stack, if there is one, and why it was refused, if it was."""

    name: str = ""
    stack_id: str = ""
    refusal: str = ""

    def row(self) -> dict[str, str]:
        """As it is stored."""
        return asdict(self)

    @staticmethod
    def of(row: dict[str, str]) -> Provisioned:
        return Provisioned(**row)


def provision(cloud: Cloud, project: str, project_id: str, given: dict[str, Any]) -> Provisioned:
    """Begin to make the stack of a project from the template in S3 that a CfnTemplateProvider names.

    The project's name and id are parameters where the template declares SageMakerProjectName and SageMakerProjectId,
    and tags of the stack always.
    """
    name = f"{_PREFIX}-{project}-{project_id}"
    try:
        declared = _declared(cloud, given)
        own = {_NAME_PARAMETER: project, _ID_PARAMETER: project_id}
        values = {key: value for key, value in own.items() if key in declared} | _values(given)
        request = {
            "StackName": name,
            **_template(given, values),
            "Tags": [
                {"Key": "sagemaker:project-name", "Value": project},
                {"Key": "sagemaker:project-id", "Value": project_id},
            ],
            **({"RoleARN": given["RoleARN"]} if "RoleARN" in given else {}),
        }
        made = cloud.call("cloudformation", "CreateStack", request)
    except AwsError as error:
        return Provisioned(name=name, refusal=error.message)
    return Provisioned(name, made["StackId"])


def reprovision(cloud: Cloud, stack: Provisioned, whole: dict[str, Any], given: dict[str, Any]) -> Provisioned:
    """Begin to update the stack to the template `whole`; of its parameters only those `given` get new values."""
    if not stack.stack_id:
        return Provisioned(stack.name, "", "The project has no stack that could be updated: delete it, and create it.")
    try:
        changed = _values(given)
        kept = [name for name in _declared(cloud, whole) if name not in changed and _has(cloud, stack, name)]
        request = {"StackName": stack.stack_id, **_template(whole, changed)}
        request["Parameters"] += [{"ParameterKey": name, "UsePreviousValue": True} for name in kept]
        cloud.call("cloudformation", "UpdateStack", request)
    except AwsError as error:
        refusal = "" if error.message == _NOTHING_TO_DO else error.message
        return Provisioned(stack.name, stack.stack_id, refusal)
    return Provisioned(stack.name, stack.stack_id)


def remove(cloud: Cloud, stack: Provisioned) -> Provisioned:
    """Begin to delete the stack."""
    if not stack.stack_id:
        return Provisioned(stack.name)
    try:
        cloud.call("cloudformation", "DeleteStack", {"StackName": stack.stack_id})
    except AwsError as error:
        return Provisioned(stack.name, stack.stack_id, error.message)
    return Provisioned(stack.name, stack.stack_id)


def status_of(cloud: Cloud, operation: str, stack: Provisioned) -> tuple[str, str]:
    """The project's status after `operation` (Create, Update or Delete), and what there is to say about its stack."""
    if stack.refusal:
        return f"{operation}Failed", stack.refusal
    if not stack.stack_id:
        return ("DeleteCompleted" if operation == "Delete" else f"{operation}InProgress"), "There is no stack yet."
    found = cloud.store.get("stack", stack.stack_id)
    status = str(found["StackStatus"])
    reason = str(found.get("StackStatusReason", ""))
    message = f"{status}: {reason}" if reason else status
    if status.endswith("_IN_PROGRESS"):
        return f"{operation}InProgress", message
    well = {
        "Create": ("CREATE_COMPLETE",),
        "Update": ("UPDATE_COMPLETE", "CREATE_COMPLETE"),
        "Delete": ("DELETE_COMPLETE",),
    }
    return f"{operation}{'Completed' if status in well[operation] else 'Failed'}", _first_failure(cloud, found, message)


def _first_failure(cloud: Cloud, stack: dict[str, Any], message: str) -> str:
    """The message, with the reason of the first resource that failed in the stack's last operation."""
    if "ROLLBACK" not in stack["StackStatus"] and "FAILED" not in stack["StackStatus"]:
        return message
    for event in _last_operation(cloud, stack["StackId"]):
        if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != stack["StackName"]:
            return f"{message} {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"[:4096]
    return message


def _last_operation(cloud: Cloud, stack_id: str) -> list[dict[str, Any]]:
    pages = cloud.store.all(f"stack_event {stack_id}")
    begun = [index for index, event in enumerate(pages) if event.get("ResourceStatusReason") == "User Initiated"]
    return pages[begun[-1] :] if begun else pages


def _declared(cloud: Cloud, given: dict[str, Any]) -> set[str]:
    return set(template.load(template_body(cloud, {"TemplateURL": given["TemplateURL"]}, None)).parameters)


def _values(given: dict[str, Any]) -> dict[str, str]:
    return {row["Key"]: row.get("Value", "") for row in given.get("Parameters", [])}


def _template(given: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    return {
        "TemplateURL": given["TemplateURL"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    }


def _has(cloud: Cloud, stack: Provisioned, parameter: str) -> bool:
    rows = cloud.store.get("stack", stack.stack_id)["Parameters"]
    return any(row["ParameterKey"] == parameter for row in rows)
