"""Deployment by CloudFormation: a stack made, changed, replaced or deleted, or a change set made or executed.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local_aws.codepipeline import artifacts
from local_aws.codepipeline.actions import stack_progress
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun, provider
from local_aws.codepipeline.actions.stack_inputs import StackInputs, stack_inputs
from local_aws.errors import AwsError
from local_aws.store import Body

_SERVICE = "cloudformation"
_REPLACED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"}
_UNCHANGED = ("No updates are to be performed", "didn't contain changes")
_NOTHING_TO_DO = "The stack is as the template has it: nothing was changed."


@provider("Deploy", "CloudFormation")
def deploy(run: ActionRun) -> ActionResult:
    """Carry out the ActionMode; raises `ActionFailed` with the first failures of the stack's own events."""
    mode = run.configuration["ActionMode"]
    if mode not in _MODES:
        raise ActionFailed(f"ActionMode '{mode}' is none of {', '.join(_MODES)}", "ConfigurationError")
    missing = [key for key in ("TemplatePath", "ChangeSetName") if _needs(mode, key) and not run.configuration.get(key)]
    if missing:
        raise ActionFailed(f"ActionMode {mode} needs {missing[0]}", "ConfigurationError")
    return _MODES[mode](run, run.configuration["StackName"])


def _needs(mode: str, key: str) -> bool:
    if key == "ChangeSetName":
        return mode.startswith("CHANGE_SET")
    return mode in ("CREATE_UPDATE", "REPLACE_ON_FAILURE", "CHANGE_SET_REPLACE")


def _create_or_update(run: ActionRun, name: str) -> ActionResult:
    return _apply(run, name, _described(run, name), stack_inputs(run))


def _replace_on_failure(run: ActionRun, name: str) -> ActionResult:
    inputs = stack_inputs(run)
    stack = _described(run, name)
    if stack is not None and stack["StackStatus"] in _REPLACED:
        _delete(run, name)
        stack = None
    return _apply(run, name, stack, inputs)


def _apply(run: ActionRun, name: str, stack: Body | None, inputs: StackInputs) -> ActionResult:
    """Make the stack, or change the one there is."""
    request = {"StackName": name, "TemplateBody": inputs.template, **_common(run, inputs)}
    if inputs.policy:
        request["StackPolicyBody"] = json.dumps(inputs.policy)
    if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        stack_id, before = None, 0
    else:
        stack_id, before = stack["StackId"], stack_progress.count_of_events(run, stack["StackId"])
    try:
        operation = "CreateStack" if stack_id is None else "UpdateStack"
        answer = run.cloud.call(_SERVICE, operation, request)
    except AwsError as error:
        if stack_id is not None and error.message.startswith(_UNCHANGED[0]):
            run.report(externalExecutionId=stack_id)
            return _deployed(run, name, _NOTHING_TO_DO)
        raise ActionFailed(f"Stack {name}: {error.code}: {error.message}", _kind(error)) from error
    run.report(externalExecutionId=answer["StackId"])
    status = stack_progress.settled(run, answer["StackId"], before)
    return _deployed(run, name, f"Stack {name} is {status}.")


def _deployed(run: ActionRun, name: str, summary: str) -> ActionResult:
    """The success of a deployment, with the stack's outputs as variables, and in a file where one is asked for."""
    stack = _described(run, name)
    outputs = {row["OutputKey"]: row["OutputValue"] for row in (stack or {}).get("Outputs", [])}
    _write_output(run, outputs)
    stack_id = stack["StackId"] if stack else ""
    return ActionResult(variables=outputs, summary=summary, external_execution_id=stack_id)


def _write_output(run: ActionRun, content: Any) -> None:
    file = run.configuration.get("OutputFileName")
    if not file:
        return
    if not run.outputs:
        raise ActionFailed(f"OutputFileName is '{file}', but the action has no output artifact", "ConfigurationError")
    artifact = next(iter(run.outputs.values()))
    artifacts.write_file(run.cloud, artifact, file, json.dumps(content, indent=2, default=str))


def _delete_only(run: ActionRun, name: str) -> ActionResult:
    if _described(run, name) is None:
        return ActionResult(summary=f"There is no stack {name}: nothing was deleted.")
    stack_id = _delete(run, name)
    return ActionResult(summary=f"Stack {name} was deleted.", external_execution_id=stack_id)


def _delete(run: ActionRun, name: str) -> str:
    stack = _described(run, name)
    if stack is None:
        return ""
    before = stack_progress.count_of_events(run, stack["StackId"])
    run.cloud.call(_SERVICE, "DeleteStack", {"StackName": stack["StackId"], **_role(run)})
    run.report(externalExecutionId=stack["StackId"])
    stack_progress.settled(run, stack["StackId"], before)
    return str(stack["StackId"])


def _replace_change_set(run: ActionRun, name: str) -> ActionResult:
    inputs = stack_inputs(run)
    stack = _described(run, name)
    change_set = run.configuration["ChangeSetName"]
    creates = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    named = {"StackName": name, "ChangeSetName": change_set}
    try:
        if stack is not None:
            run.cloud.call(_SERVICE, "DeleteChangeSet", named)
        kind = "CREATE" if creates else "UPDATE"
        request = {**named, "TemplateBody": inputs.template, "ChangeSetType": kind, **_common(run, inputs)}
        answer = run.cloud.call(_SERVICE, "CreateChangeSet", request)
        described = run.cloud.call(_SERVICE, "DescribeChangeSet", named)
    except AwsError as error:
        raise ActionFailed(f"Change set {change_set}: {error.code}: {error.message}", _kind(error)) from error
    reason = described.get("StatusReason", "")
    if described["Status"] == "FAILED" and _UNCHANGED[1] not in reason:
        raise ActionFailed(f"Change set {change_set} of stack {name} could not be made: {reason}")
    _write_output(run, described)
    shown = [_shown(change["ResourceChange"]) for change in described.get("Changes", [])]
    summary = f"Change set {change_set}: {', '.join(shown)}" if shown else f"Change set {change_set} has no changes."
    return ActionResult(
        summary=summary, external_execution_id=answer["Id"], variables={"ChangeSetName": change_set, "StackName": name}
    )


def _shown(change: Body) -> str:
    return f"{change['Action']} {change['LogicalResourceId']} ({change['ResourceType']})"


def _execute_change_set(run: ActionRun, name: str) -> ActionResult:
    change_set = run.configuration["ChangeSetName"]
    named = {"StackName": name, "ChangeSetName": change_set}
    try:
        described = run.cloud.call(_SERVICE, "DescribeChangeSet", named)
        if _UNCHANGED[1] in described.get("StatusReason", ""):
            return _deployed(run, name, _NOTHING_TO_DO)
        before = stack_progress.count_of_events(run, described["StackId"])
        run.cloud.call(_SERVICE, "ExecuteChangeSet", named)
    except AwsError as error:
        raise ActionFailed(f"Change set {change_set}: {error.code}: {error.message}", _kind(error)) from error
    run.report(externalExecutionId=described["StackId"])
    status = stack_progress.settled(run, described["StackId"], before)
    return _deployed(run, name, f"Stack {name} is {status}.")


_MODES: dict[str, Callable[[ActionRun, str], ActionResult]] = {
    "CREATE_UPDATE": _create_or_update,
    "REPLACE_ON_FAILURE": _replace_on_failure,
    "DELETE_ONLY": _delete_only,
    "CHANGE_SET_REPLACE": _replace_change_set,
    "CHANGE_SET_EXECUTE": _execute_change_set,
}


def _common(run: ActionRun, inputs: StackInputs) -> dict[str, Any]:
    """What CreateStack, UpdateStack and CreateChangeSet take alike."""
    capabilities = [word.strip() for word in run.configuration.get("Capabilities", "").split(",") if word.strip()]
    return {
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in inputs.parameters.items()],
        **({"Tags": [{"Key": key, "Value": value} for key, value in inputs.tags.items()]} if inputs.tags else {}),
        **({"Capabilities": capabilities} if capabilities else {}),
        **_role(run),
    }


def _role(run: ActionRun) -> dict[str, str]:
    role = run.configuration.get("RoleArn")
    return {"RoleARN": role} if role else {}


def _described(run: ActionRun, name: str) -> Body | None:
    """The stack of a name as the action's role sees it, or None where there is none."""
    try:
        answer = run.cloud.call(_SERVICE, "DescribeStacks", {"StackName": name})
    except AwsError as error:
        if error.code == "ValidationError" and "does not exist" in error.message:
            return None
        raise
    return dict(answer["Stacks"][0])


def _kind(error: AwsError) -> str:
    return "PermissionError" if "AccessDenied" in error.code else "ConfigurationError"
