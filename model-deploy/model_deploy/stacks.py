"""The stacks as CloudFormation has them now: what each stage serves, and by which template and parameters."""

from typing import Any

from botocore.exceptions import ClientError

from model_deploy.plan import Stack


def describe_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """What DescribeStacks says of a stack, None if there is none of this name."""
    try:
        return dict(cloudformation.describe_stacks(StackName=name)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def read_stack(cloudformation: Any, name: str) -> Stack | None:
    """The stack of this name as it is now, None if there is none."""
    found = describe_stack(cloudformation, name)
    if found is None:
        return None
    parameters = {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])}
    template = ""
    # A stack that is only planned has no template yet.
    if found["StackStatus"] != "REVIEW_IN_PROGRESS":
        template = str(cloudformation.get_template(StackName=name)["TemplateBody"])
    return Stack(name, found["StackStatus"], parameters, template)
