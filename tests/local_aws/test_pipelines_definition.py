"""A pipeline definition that could not be carried out is refused when it is created, by what is wrong with it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/rehearsal"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"

Definition = dict[str, Any]


def processing(name: str, **members: Any) -> Definition:
    """A Processing step with one output, `report`."""
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "report",
                        "S3Output": {
                            "S3Uri": "s3://bucket/report",
                            "LocalPath": "/opt/ml/processing/report",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        **members,
    }


def fail(name: str, message: Any = "no", **members: Any) -> Definition:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **members}


def condition(name: str, *conditions: Any, **members: Any) -> Definition:
    arguments = {"Conditions": list(conditions), "IfSteps": [], "ElseSteps": []}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **members}


def pipeline(*steps: Definition, **members: Any) -> Definition:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps), **members}


def with_arguments(step: Definition, **arguments: Any) -> Definition:
    return {**step, "Arguments": {**step["Arguments"], **arguments}}


def create(cloud: Any, definition: Definition | str) -> dict[str, Any]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return cloud.client("sagemaker").create_pipeline(
        PipelineName=f"p-{uuid.uuid4().hex[:10]}", PipelineDefinition=text, RoleArn=ROLE
    )


EQUALS = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ("{", "Unable to parse pipeline definition. It is not valid JSON"),
        ("[]", "Expecting start of Json Object"),
        (pipeline(fail("A"), Version="2021-01-01"), "Invalid version '2021-01-01': the schema version is '2020-12-01'"),
        (pipeline(fail("A"), Extra=1), "Unknown member 'Extra' in the definition"),
        (pipeline(), "A pipeline has 1 to 50 steps; this definition has 0"),
        (pipeline(fail("A"), fail("A")), "duplicate step names: 'A'"),
        (pipeline(fail("A b")), "Invalid step name 'A b'"),
        (
            pipeline({"Name": "Notify", "Type": "Lambda", "FunctionArn": "arn", "Arguments": {}}),
            "Step 'Notify' is of type 'Lambda', which is not supported: use one of Processing, Training",
        ),
        (pipeline({"Name": "A", "Type": "Fail"}), "Missing required member 'Arguments' of step 'A'"),
        (pipeline(fail("A", CacheConfig={"Enabled": True})), "Unknown member 'CacheConfig' in step 'A'"),
        (pipeline(processing("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})), "not an ISO 8601 duration"),
        (
            pipeline(processing("A", DependsOn=["B"])),
            "Step 'A' depends on step 'B', which the pipeline definition does",
        ),
        (
            pipeline(processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])),
            "Pipeline definition has a cyclic dependency",
        ),
        (pipeline(fail("F"), condition("C", EQUALS, DependsOn=["F"])), "C can not depends on F"),
        (pipeline(fail("A", {"Get": "Parameters.Nope"})), "the pipeline definition has no parameter 'Nope'"),
        (pipeline(fail("A", {"Get": "Execution.Nope"})), "execution variables are PipelineName"),
        (pipeline(fail("A", {"Get": "Steps.Nope.Arn"})), "Step 'A' depends on step 'Nope'"),
        (pipeline(fail("A", {"Get": "What.Ever"})), "is not a reference: it begins with Parameters"),
        (pipeline(fail("A", {"Std:Join": {"Values": "ab"}})), "Std:Join has a list 'Values' and a text 'On'"),
        (pipeline(fail("A", {"Std:JsonGet": {"Path": "a"}})), "a 'Path' and either a 'PropertyFile' or an 'S3Uri'"),
        (pipeline(fail("A", {"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "a["}})), "'a[' is not a path"),
        (
            pipeline(fail("A"), PipelineExperimentConfig={"TrialName": {"Get": "Parameters.X"}}),
            "PipelineExperimentConfig refers to [Parameters.X], but",
        ),
        (
            pipeline(processing("P"), fail("A", {"Get": "Steps.P.ProcesingJobArn"})),
            "Unknown property reference [Steps.P.ProcesingJobArn]: a Processing step has no such property",
        ),
        (
            pipeline(
                processing(
                    "P", PropertyFiles=[{"PropertyFileName": "m", "OutputName": "report", "FilePath": "m.json"}]
                ),
                condition(
                    "C",
                    {
                        "Type": "GreaterThan",
                        "LeftValue": {
                            "Std:JsonGet": {"PropertyFile": {"Get": "Steps.P.PropertyFiles.other"}, "Path": "a"}
                        },
                        "RightValue": 1,
                    },
                ),
            ),
            "the property files of step 'P' are: m",
        ),
        (
            pipeline(processing("P", PropertyFiles=[{"PropertyFileName": "m", "OutputName": "x", "FilePath": "m"}])),
            "Property file 'm' of step 'P' is in the output 'x', which the step does not have",
        ),
        (pipeline(condition("C", {"Type": "Near", "LeftValue": 1, "RightValue": 1})), "Unknown condition type 'Near'"),
        (
            pipeline(condition("C", {"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": 1}})),
            "A condition of type Equals has the members LeftValue, RightValue",
        ),
        (
            pipeline(with_arguments(processing("P"), NetworkConfig=[])),
            "Expecting start of Json Object at 'Arguments.NetworkConfig'",
        ),
        (pipeline(with_arguments(processing("P"), ProcessingInputs={})), "Expecting start of Json Array"),
        (
            pipeline(with_arguments(processing("P"), EndpointName="x")),
            "Unable to parse pipeline definition. Unknown Argument member 'EndpointName'",
        ),
        (
            pipeline({"Name": "P", "Type": "Processing", "Arguments": {"RoleArn": ROLE}}),
            "Missing required member 'ProcessingResources'",
        ),
        (
            pipeline(
                with_arguments(processing("P"), Environment={"N": {"Get": "Parameters.N"}}),
                Parameters=[{"Name": "N", "Type": "Integer", "DefaultValue": 1}],
            ),
            "Cannot assign property reference [Parameters.N] to the argument 'Arguments.Environment.N'",
        ),
        (pipeline(fail("A"), Parameters=[{"Name": "N", "Type": "Text"}]), "Parameter 'N' has type 'Text'"),
        (
            pipeline(fail("A"), Parameters=[{"Name": "N", "Type": "Integer", "DefaultValue": "1"}]),
            "The default value '1' of parameter 'N' is not of type Integer",
        ),
        (
            pipeline(fail("A"), Parameters=[{"Name": "N", "Type": "String", "DefaultValue": "x", "EnumValues": ["y"]}]),
            "Invalid value [x] for pipeline parameter [N]: it must be one of [y]",
        ),
        (
            pipeline(processing("P", RetryPolicies=[{"ExceptionType": ["Oops"], "MaxAttempts": 1}])),
            "unknown exception type 'Oops'",
        ),
        (
            pipeline(processing("P", RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"]}])),
            "exactly one of 'MaxAttempts' and 'ExpireAfterMin' must be given",
        ),
    ],
)
def test_a_definition_that_cannot_be_carried_out_is_refused_by_what_is_wrong(
    cloud: Any, definition: Definition | str, says: str
) -> None:
    with pytest.raises(ClientError) as refused:
        create(cloud, definition)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert says in refused.value.response["Error"]["Message"]


def test_a_name_that_is_taken_is_refused_and_the_same_token_is_not(cloud: Any) -> None:
    client = cloud.client("sagemaker")
    name, text = f"Taken-{uuid.uuid4().hex[:8]}", json.dumps(pipeline(fail("A")))
    request = {"PipelineName": name, "PipelineDefinition": text, "RoleArn": ROLE}
    first = client.create_pipeline(**request, ClientRequestToken="t" * 32)
    again = client.create_pipeline(**request, ClientRequestToken="t" * 32)
    assert again["PipelineArn"] == first["PipelineArn"]
    with pytest.raises(ClientError, match="Pipeline names must be unique within an AWS account and region"):
        client.create_pipeline(**{**request, "PipelineName": name.upper()})


def test_a_pipeline_that_is_not_there_is_named(cloud: Any) -> None:
    client = cloud.client("sagemaker")
    for call in (client.describe_pipeline, client.delete_pipeline, client.start_pipeline_execution):
        with pytest.raises(client.exceptions.ResourceNotFound, match="Pipeline 'nope' does not exist"):
            call(PipelineName="nope")


def test_an_update_makes_a_version_and_a_delete_takes_them_all(cloud: Any) -> None:
    client = cloud.client("sagemaker")
    name = f"versions-{uuid.uuid4().hex[:8]}"
    old, new = json.dumps(pipeline(fail("Old"))), json.dumps(pipeline(fail("New")))
    tags = [{"Key": "team", "Value": "flowers"}]
    arn = client.create_pipeline(PipelineName=name, PipelineDefinition=old, RoleArn=ROLE, Tags=tags)["PipelineArn"]
    assert client.update_pipeline(PipelineName=name, PipelineDescription="why")["PipelineVersionId"] == 1
    assert client.update_pipeline(PipelineName=name, PipelineDefinition=new)["PipelineVersionId"] == 2
    with pytest.raises(ClientError, match="Unable to parse"):
        client.update_pipeline(PipelineName=name, PipelineDefinition="{}")
    described = client.describe_pipeline(PipelineName=arn)
    assert (described["PipelineDefinition"], described["PipelineDescription"]) == (new, "why")
    assert client.describe_pipeline(PipelineName=name, PipelineVersionId=1)["PipelineDefinition"] == old
    versions = client.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]
    assert [row["PipelineVersionId"] for row in versions] == [2, 1]
    listed = client.list_pipelines(PipelineNamePrefix=name)["PipelineSummaries"]
    assert [row["PipelineArn"] for row in listed] == [arn]
    assert client.list_tags(ResourceArn=arn)["Tags"] == tags
    client.delete_pipeline(PipelineName=name)
    assert client.list_pipelines(PipelineNamePrefix=name)["PipelineSummaries"] == []


def test_a_definition_may_lie_in_s3(cloud: Any, bucket: str) -> None:
    client = cloud.client("sagemaker")
    text = json.dumps(pipeline(fail("A")))
    cloud.client("s3").put_object(Bucket=bucket, Key="p.json", Body=text.encode())
    name = f"s3-{uuid.uuid4().hex[:8]}"
    where = {"Bucket": bucket, "ObjectKey": "p.json"}
    client.create_pipeline(PipelineName=name, PipelineDefinitionS3Location=where, RoleArn=ROLE)
    assert client.describe_pipeline(PipelineName=name)["PipelineDefinition"] == text
    with pytest.raises(ClientError, match="Unable to read the pipeline definition at s3://"):
        client.update_pipeline(PipelineName=name, PipelineDefinitionS3Location={**where, "ObjectKey": "no.json"})
    with pytest.raises(ClientError, match="Exactly one of PipelineDefinition and PipelineDefinitionS3Location"):
        client.create_pipeline(PipelineName=f"{name}-2", RoleArn=ROLE)
