"""Deployments by CloudFormation: what goes into a stack from artifacts, and what its failures say."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest


def outputs(pipelines: Any, stack: str) -> dict[str, str]:
    found = pipelines.cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {row["OutputKey"]: row["OutputValue"] for row in found["Outputs"]}


def stack_of(action: Any) -> str:
    return str(action["configuration"]["StackName"])


def test_a_template_that_fails_tells_the_stacks_own_first_failure(pipelines: Any, declare: Any) -> None:
    deploy = pipelines.deployment(settings={"TemplatePath": "App::broken.yaml"})
    name, execution = pipelines.create(declare.stage("Staging", deploy))
    ended = pipelines.ended(name, execution)
    assert ended["status"] == "Failed"
    details = pipelines.latest(name, "Staging", "Deploy")["errorDetails"]
    assert details["code"] == "JobFailed"
    assert "ROLLBACK_COMPLETE: Bucket (AWS::S3::Bucket) CREATE_FAILED:" in details["message"]
    assert "Stage Staging failed at action Deploy" in ended["statusSummary"]


def test_a_stack_that_failed_to_come_up_is_replaced_where_the_mode_says_so(pipelines: Any, declare: Any) -> None:
    broken = pipelines.deployment(settings={"TemplatePath": "App::broken.yaml"})
    name, execution = pipelines.create(declare.stage("Staging", broken))
    pipelines.ended(name, execution)
    settings = {"StackName": stack_of(broken)}
    update = pipelines.deployment(settings=settings)
    name, execution = pipelines.create(declare.stage("Staging", update))
    assert pipelines.ended(name, execution)["status"] == "Failed"
    assert "ROLLBACK_COMPLETE state" in pipelines.latest(name, "Staging", "Deploy")["errorDetails"]["message"]
    replace = pipelines.deployment(settings={**settings, "ActionMode": "REPLACE_ON_FAILURE"})
    name, execution = pipelines.create(declare.stage("Staging", replace))
    assert pipelines.ended(name, execution)["status"] == "Succeeded"


def test_parameters_come_from_the_configuration_and_overrides_win(pipelines: Any, declare: Any) -> None:
    plain = pipelines.deployment("Plain", settings={"TemplateConfiguration": "App::configuration.json"})
    values = {"Text": {"Fn::GetParam": ["App", "values.json", "text"]}}
    override = pipelines.deployment(
        "Override",
        settings={"TemplateConfiguration": "App::configuration.json", "ParameterOverrides": json.dumps(values)},
    )
    place = {"Text": {"Fn::GetArtifactAtt": ["App", "BucketName"]}}
    located = pipelines.deployment("Located", settings={"ParameterOverrides": json.dumps(place)})
    name, execution = pipelines.create(declare.stage("Deploy", plain, override, located))
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    assert outputs(pipelines, stack_of(plain))["Text"] == "configured"
    assert outputs(pipelines, stack_of(override))["Text"] == "looked up"
    assert outputs(pipelines, stack_of(located))["Text"] == pipelines.bucket
    tags = pipelines.cloud.client("cloudformation").describe_stacks(StackName=stack_of(plain))["Stacks"][0]["Tags"]
    assert tags == [{"Key": "team", "Value": "ml"}]


def test_outputs_are_variables_and_a_file_and_no_change_is_a_success(pipelines: Any, declare: Any) -> None:
    first = pipelines.deployment(
        "First", outputs=["Told"], namespace="First", runOrder=1, settings={"OutputFileName": "outputs.json"}
    )
    second = pipelines.deployment(
        "Second", runOrder=2, settings={"ParameterOverrides": '{"Text": "after #{First.Note}"}'}
    )
    name, execution = pipelines.create(declare.stage("Deploy", first, second))
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    told = pipelines.actions(name, execution)
    made = outputs(pipelines, stack_of(first))
    assert told["First"]["output"]["outputVariables"] == made
    assert outputs(pipelines, stack_of(second))["Text"] == f"after {made['Note']}"
    assert told["Second"]["input"]["configuration"]["ParameterOverrides"] == '{"Text": "after #{First.Note}"}'
    assert made["Note"] in told["Second"]["input"]["resolvedConfiguration"]["ParameterOverrides"]
    (artifact,) = told["First"]["output"]["outputArtifacts"]
    place = artifact["s3location"]
    assert place["key"].startswith(f"{name[:20]}/Told/")
    body = pipelines.cloud.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert json.loads(zipfile.ZipFile(io.BytesIO(body)).read("outputs.json")) == made
    assert told["First"]["output"]["executionResult"]["externalExecutionId"].startswith("arn:aws:cloudformation:")
    again = pipelines.start(name)
    assert pipelines.ended(name, again)["status"] == "Succeeded"
    assert "nothing was changed" in pipelines.latest(name, "Deploy", "First")["summary"]


def test_a_change_set_is_made_read_and_executed(pipelines: Any, declare: Any) -> None:
    make = pipelines.deployment("Make", settings={"ActionMode": "CHANGE_SET_REPLACE", "ChangeSetName": "release"})
    stack = stack_of(make)
    settings = {"ActionMode": "CHANGE_SET_EXECUTE", "StackName": stack, "ChangeSetName": "release"}
    carry_out = declare.action("CarryOut", "Deploy", "CloudFormation", settings, runOrder=3)
    name, execution = pipelines.create(declare.stage("Deploy", make, declare.approval(runOrder=2), carry_out))
    token = pipelines.asked(name, "Deploy")
    assert "Add Note (AWS::SSM::Parameter)" in pipelines.latest(name, "Deploy", "Make")["summary"]
    pipelines.answer(name, "Deploy", token)
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    assert outputs(pipelines, stack)["Text"] == "nothing"
    again = pipelines.start(name)
    pipelines.answer(name, "Deploy", pipelines.asked(name, "Deploy", again))
    assert pipelines.ended(name, again)["status"] == "Succeeded"
    delete = declare.action(
        "Delete",
        "Deploy",
        "CloudFormation",
        {"ActionMode": "DELETE_ONLY", "StackName": stack, "RoleArn": pipelines.role},
    )
    name, execution = pipelines.create(declare.stage("Delete", delete))
    assert pipelines.ended(name, execution)["status"] == "Succeeded"
    again = pipelines.start(name)
    assert pipelines.ended(name, again)["status"] == "Succeeded"
    assert "no stack" in pipelines.latest(name, "Delete", "Delete")["summary"]


def test_a_file_that_the_artifact_lacks_is_told_with_those_there_are(pipelines: Any, declare: Any) -> None:
    deploy = pipelines.deployment(settings={"TemplatePath": "App::endpoint.yaml"})
    name, execution = pipelines.create(declare.stage("Staging", deploy))
    pipelines.ended(name, execution)
    message = pipelines.latest(name, "Staging", "Deploy")["errorDetails"]["message"]
    assert "[endpoint.yaml] does not exist in artifact [App]" in message
    assert "template.yaml" in message


def test_a_variable_that_has_no_value_fails_the_action_by_name(pipelines: Any, declare: Any) -> None:
    deploy = pipelines.deployment(settings={"StackName": "stack-#{Source.Pin}"})
    name, execution = pipelines.create(declare.stage("Staging", deploy))
    assert pipelines.ended(name, execution)["status"] == "Failed"
    details = pipelines.latest(name, "Staging", "Deploy")["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert "#{Source.Pin} cannot be resolved" in details["message"]
    assert "CommitId" in details["message"]


def test_variables_of_the_pipeline_have_defaults_that_a_start_may_override(pipelines: Any, declare: Any) -> None:
    deploy = pipelines.deployment(settings={"ParameterOverrides": '{"Text": "#{variables.Text}"}'})
    variables = [{"name": "Text", "defaultValue": "usual"}]
    name, execution = pipelines.create(declare.stage("Deploy", deploy), variables=variables)
    assert pipelines.ended(name, execution)["variables"] == [{"name": "Text", "resolvedValue": "usual"}]
    assert outputs(pipelines, stack_of(deploy))["Text"] == "usual"
    again = pipelines.start(name, variables=[{"name": "Text", "value": "special"}])
    assert pipelines.ended(name, again)["status"] == "Succeeded"
    assert outputs(pipelines, stack_of(deploy))["Text"] == "special"
    with pytest.raises(pipelines.client.exceptions.ValidationException, match="'Test' is not declared"):
        pipelines.start(name, variables=[{"name": "Test", "value": "x"}])
