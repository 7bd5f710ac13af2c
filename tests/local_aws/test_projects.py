"""SageMaker Projects: a template in S3 becomes a stack under the project's name."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

TEMPLATE = """
Parameters:
  SageMakerProjectName: {Type: String, Default: ""}
  SageMakerProjectId: {Type: String, Default: ""}
  Greeting: {Type: String, Default: hello}
Resources:
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub "${Greeting} ${SageMakerProjectName} ${SageMakerProjectId}"}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: codebuild.amazonaws.com}, Action: "sts:AssumeRole"}
Outputs:
  Note: {Value: !GetAtt Note.Value}
"""


class Projects:
    """Projects of one cloud, with templates in a bucket."""

    def __init__(self, cloud: Any, bucket: str) -> None:
        self.s3, self.bucket = cloud.client("s3"), bucket
        self.sagemaker, self.cloudformation = cloud.client("sagemaker"), cloud.client("cloudformation")

    def url(self, template: str) -> str:
        key = f"templates/{uuid.uuid4().hex}.yaml"
        tagging = "sagemaker:studio-visibility=true"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=template.encode(), Tagging=tagging)
        return f"https://{self.bucket}.s3.us-east-1.amazonaws.com/{key}"

    def create(self, template: str, **parameters: str) -> str:
        name = f"project-{uuid.uuid4().hex[:8]}"
        self.sagemaker.create_project(ProjectName=name, TemplateProviders=[self.provider(template, parameters)])
        return name

    def provider(self, template: str, parameters: dict[str, str]) -> dict[str, Any]:
        rows = [{"Key": key, "Value": value} for key, value in parameters.items()]
        given = {"TemplateName": "release", "TemplateURL": self.url(template), "Parameters": rows}
        return {"CfnTemplateProvider": given}

    def settled(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self.sagemaker.describe_project(ProjectName=name)
            if not found["ProjectStatus"].endswith("InProgress"):
                return dict(found)
            time.sleep(0.05)
        pytest.fail(f"still {found['ProjectStatus']}")

    def stack(self, name: str) -> dict[str, Any]:
        detail = self.settled(name)["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
        return dict(self.cloudformation.describe_stacks(StackName=detail["Id"])["Stacks"][0])


@pytest.fixture
def projects(cloud: Any, bucket: str) -> Projects:
    return Projects(cloud, bucket)


def test_service_catalog_is_refused_by_name(projects: Projects) -> None:
    with pytest.raises(ClientError, match="there is no Service Catalog here"):
        projects.sagemaker.create_project(
            ProjectName="catalog", ServiceCatalogProvisioningDetails={"ProductId": "prod-1"}
        )
    with pytest.raises(ClientError, match="TemplateProviders must be given"):
        projects.sagemaker.create_project(ProjectName="nothing")


@pytest.mark.parametrize("url", ["s3://bucket/key.yaml", "http://127.0.0.1:1/bucket/key.yaml"])
def test_an_address_that_is_not_https_is_refused_as_by_sagemaker(projects: Projects, url: str) -> None:
    given = {"TemplateName": "release", "TemplateURL": url}
    with pytest.raises(ClientError, match="templateURL"):
        projects.sagemaker.create_project(ProjectName="plain", TemplateProviders=[{"CfnTemplateProvider": given}])


def test_a_project_is_a_stack_that_knows_its_name_and_id(projects: Projects) -> None:
    name = projects.create(TEMPLATE, Greeting="good day")
    found = projects.settled(name)
    assert found["ProjectStatus"] == "CreateCompleted", found
    stack = projects.stack(name)
    assert stack["StackName"] == f"SP-{name}-{found['ProjectId']}"
    assert stack["Outputs"][0]["OutputValue"] == f"good day {name} {found['ProjectId']}"
    assert {row["Key"]: row["Value"] for row in stack["Tags"]} == {
        "sagemaker:project-name": name,
        "sagemaker:project-id": found["ProjectId"],
    }
    listed = projects.sagemaker.list_projects(NameContains=name)["ProjectSummaryList"]
    assert [(row["ProjectName"], row["ProjectStatus"]) for row in listed] == [(name, "CreateCompleted")]
    with pytest.raises(ClientError, match="already exists"):
        projects.sagemaker.create_project(ProjectName=name, TemplateProviders=[projects.provider(TEMPLATE, {})])


def test_an_update_keeps_the_parameters_it_does_not_name(projects: Projects) -> None:
    name = projects.create(TEMPLATE, Greeting="good day")
    projects.settled(name)
    longer = TEMPLATE + "  Other: {Value: more}\n"
    projects.sagemaker.update_project(
        ProjectName=name, ProjectDescription="second", TemplateProvidersToUpdate=[projects.provider(longer, {})]
    )
    found = projects.settled(name)
    assert (found["ProjectStatus"], found["ProjectDescription"]) == ("UpdateCompleted", "second")
    outputs = {row["OutputKey"]: row["OutputValue"] for row in projects.stack(name)["Outputs"]}
    assert outputs == {"Note": f"good day {name} {found['ProjectId']}", "Other": "more"}
    changed = projects.provider(longer, {"Greeting": "goodbye"})
    projects.sagemaker.update_project(ProjectName=name, TemplateProvidersToUpdate=[changed])
    assert projects.settled(name)["ProjectStatus"] == "UpdateCompleted"
    assert projects.stack(name)["Outputs"][0]["OutputValue"].startswith("goodbye")
    other = {"CfnTemplateProvider": {**changed["CfnTemplateProvider"], "TemplateName": "another"}}
    with pytest.raises(ClientError, match="has no template another; it has release"):
        projects.sagemaker.update_project(ProjectName=name, TemplateProvidersToUpdate=[other])


def test_what_is_wrong_with_the_template_is_the_status_of_the_project(projects: Projects) -> None:
    broken = projects.create(TEMPLATE, NoSuchThing="1")
    found = projects.settled(broken)
    assert found["ProjectStatus"] == "CreateFailed"
    detail = found["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
    assert "NoSuchThing" in detail["StatusMessage"]
    half = projects.create(
        TEMPLATE.replace("Outputs:", "  Last: {Type: AWS::S3::Bucket, Properties: {BucketName: Not_A_Name}}\nOutputs:")
    )
    found = projects.settled(half)
    detail = found["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
    assert found["ProjectStatus"] == "CreateFailed"
    assert "Last: Bucket name Not_A_Name" in detail["StatusMessage"]


def test_a_deleted_project_takes_its_stack_along(projects: Projects) -> None:
    name = projects.create(TEMPLATE)
    stack = projects.stack(name)
    projects.sagemaker.add_tags(
        ResourceArn=projects.settled(name)["ProjectArn"], Tags=[{"Key": "owner", "Value": "ml"}]
    )
    projects.sagemaker.delete_project(ProjectName=name)
    deadline = time.monotonic() + 30
    while projects.sagemaker.list_projects(NameContains=name)["ProjectSummaryList"] and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ClientError, match="does not exist"):
        projects.sagemaker.describe_project(ProjectName=name)
    left = projects.cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"][0]
    assert left["StackStatus"] == "DELETE_COMPLETE"
    projects.sagemaker.create_project(ProjectName=name, TemplateProviders=[projects.provider(TEMPLATE, {})])
    assert projects.settled(name)["ProjectStatus"] == "CreateCompleted"


def test_a_stack_can_make_a_project_and_unmakes_it(projects: Projects, stacks: Any) -> None:
    name = f"project-{uuid.uuid4().hex[:8]}"
    template = f"""
Resources:
  Project:
    Type: AWS::SageMaker::Project
    Properties:
      ProjectName: {name}
      TemplateProviderDetails:
        - CfnTemplateProviderDetail:
            TemplateName: release
            TemplateURL: {projects.url(TEMPLATE)}
            Parameters: [{{Key: Greeting, Value: good day}}]
Outputs:
  Id: {{Value: !GetAtt Project.ProjectId}}
"""
    stack = stacks.create(template)
    assert stacks.status(stack) == "CREATE_COMPLETE", stacks.told(stack)
    found = projects.settled(name)
    assert stacks.outputs(stack) == {"Id": found["ProjectId"]}
    assert stacks.resources(stack)["Project"] == found["ProjectArn"]
    assert stacks.delete(stack)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        projects.sagemaker.describe_project(ProjectName=name)
