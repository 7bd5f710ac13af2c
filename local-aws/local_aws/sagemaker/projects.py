"""SageMaker Projects from templates in S3: a project is a CloudFormation stack under a name that Studio shows.

project ──(name, id, parameters)──▶ stack SP-<name>-<id>, tagged with both
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html
"""

from __future__ import annotations

import secrets
import string
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError, validation_error
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import listing, tags
from local_aws.sagemaker.project_stack import Provisioned, provision, remove, reprovision, status_of
from local_aws.store import Body, now

KIND = "sagemaker_project"
_ID_CHARACTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
_SHOWN_IN_LIST = ("ProjectName", "ProjectDescription", "ProjectArn", "ProjectId", "CreationTime", "ProjectStatus")


@SAGEMAKER.operation("CreateProject")
def create_project(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make a project and begin to make its stack; what is wrong with the template is the project's status."""
    if "ServiceCatalogProvisioningDetails" in request:
        raise validation_error(
            "ServiceCatalogProvisioningDetails is not carried out by local-aws: there is no Service Catalog here. Give "
            "the template's address in S3 as TemplateProviders[0].CfnTemplateProvider.TemplateURL."
        )
    if "TemplateProviders" not in request or "CfnTemplateProvider" not in request["TemplateProviders"][0]:
        raise validation_error("One of ServiceCatalogProvisioningDetails and TemplateProviders must be given.")
    name = request["ProjectName"]
    project_id = "p-" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
    arn = cloud.arn(f"project/{name}")
    body = {
        "ProjectArn": arn,
        "ProjectName": name,
        "ProjectId": project_id,
        **({"ProjectDescription": request["ProjectDescription"]} if "ProjectDescription" in request else {}),
        "CreatedBy": {},
        "CreationTime": now(),
        "_operation": "Create",
        "_template": request["TemplateProviders"][0]["CfnTemplateProvider"],
        "_stack": {},
    }
    with cloud.store.transaction():
        if _found(cloud, name) is not None:
            raise validation_error(f"Project with name {name} already exists.")
        cloud.store.put(KIND, name, body)
        tags.record(cloud, arn, request)
    _keep(cloud, name, provision(cloud, name, project_id, body["_template"]))
    return {"ProjectArn": arn, "ProjectId": project_id}


@SAGEMAKER.operation("DescribeProject")
def describe_project(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A project as it stands, its stack included."""
    return _shown(cloud, _get(cloud, request["ProjectName"]))


@SAGEMAKER.operation("ListProjects")
def list_projects(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of the projects that are not deleted."""
    there = [body for body in cloud.store.all(KIND) if _found(cloud, body["ProjectName"]) is not None]
    rows, token = listing.page([_shown(cloud, body) for body in there], request, name_key="ProjectName")
    summaries = [{key: row[key] for key in _SHOWN_IN_LIST if key in row} for row in rows]
    return listing.answer("ProjectSummaryList", summaries, token)


@SAGEMAKER.operation("UpdateProject")
def update_project(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Change what a project says of itself, and begin to update its stack where a template is given."""
    if "ServiceCatalogProvisioningUpdateDetails" in request:
        raise validation_error("ServiceCatalogProvisioningUpdateDetails is not carried out by local-aws.")
    body = _at_rest(cloud, request["ProjectName"])
    given = (request.get("TemplateProvidersToUpdate") or [{}])[0].get("CfnTemplateProvider")
    template = _merged(body, given) if given else body["_template"]
    described = {"ProjectDescription": request["ProjectDescription"]} if "ProjectDescription" in request else {}
    changes = {**described, "LastModifiedTime": now(), "LastModifiedBy": {}, "_template": template}
    cloud.store.update(KIND, body["ProjectName"], changes)
    if "Tags" in request:
        tags.record(cloud, body["ProjectArn"], request)
    if given:
        cloud.store.update(KIND, body["ProjectName"], {"_operation": "Update"})
        _keep(cloud, body["ProjectName"], reprovision(cloud, Provisioned.of(body["_stack"]), template, given))
    return {"ProjectArn": body["ProjectArn"]}


@SAGEMAKER.operation("DeleteProject")
def delete_project(cloud: Cloud, request: dict[str, Any]) -> None:
    """Begin to delete the project's stack; the project is gone when the stack is."""
    body = _at_rest(cloud, request["ProjectName"])
    cloud.store.update(KIND, body["ProjectName"], {"_operation": "Delete", "LastModifiedTime": now()})
    _keep(cloud, body["ProjectName"], remove(cloud, Provisioned.of(body["_stack"])))


def _merged(body: Body, given: dict[str, Any]) -> dict[str, Any]:
    """The template with what an update says of it; parameters that the update leaves out keep their values."""
    kept = body["_template"]
    if given["TemplateName"] != kept["TemplateName"]:
        raise validation_error(
            f"Project {body['ProjectName']} has no template {given['TemplateName']}; it has {kept['TemplateName']}."
        )
    values = {row["Key"]: row for row in [*kept.get("Parameters", []), *given.get("Parameters", [])]}
    return {**kept, **given, "Parameters": list(values.values())}


def _keep(cloud: Cloud, name: str, provisioned: Provisioned) -> None:
    cloud.store.update(KIND, name, {"_stack": provisioned.row()})


def _found(cloud: Cloud, name: str) -> Body | None:
    body = cloud.store.find(KIND, name)
    if body is None or status_of(cloud, body["_operation"], Provisioned.of(body["_stack"]))[0] == "DeleteCompleted":
        return None
    return body


def _get(cloud: Cloud, name: str) -> Body:
    body = _found(cloud, name)
    if body is None:
        raise validation_error(f"Project with name {name} does not exist.")
    return body


def _at_rest(cloud: Cloud, name: str) -> Body:
    """The project, which nothing is being done to; raises `AwsError` (ConflictException)."""
    body = _get(cloud, name)
    status = _shown(cloud, body)["ProjectStatus"]
    if status.endswith("InProgress"):
        raise AwsError("ConflictException", f"Project {name} is {status}. Try again when that has ended.", 409)
    return body


def _shown(cloud: Cloud, body: Body) -> dict[str, Any]:
    """A project as DescribeProject answers it."""
    stack = Provisioned.of(body["_stack"])
    status, message = status_of(cloud, body["_operation"], stack)
    ids = {"Name": stack.name, "Id": stack.stack_id} if stack.stack_id else {}
    detail = {**body["_template"], "StackDetail": {**ids, "StatusMessage": message}}
    return {
        **{key: value for key, value in body.items() if not key.startswith("_")},
        "ProjectStatus": status,
        "TemplateProviderDetails": [{"CfnTemplateProviderDetail": detail}],
    }
