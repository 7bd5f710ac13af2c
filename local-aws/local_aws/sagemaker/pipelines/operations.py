"""Pipelines: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePipeline.html and its siblings."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.errors import AwsError, not_found, validation_error
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import execution_role, listing, tags
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.checks import check
from local_aws.sagemaker.pipelines.definition import read_definition
from local_aws.store import Body, Missing, now

KIND = "pipeline"
_SHOWN_IN_LIST = (
    "PipelineArn",
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDescription",
    "RoleArn",
    "CreationTime",
    "LastModifiedTime",
)


def find(cloud: Cloud, name_or_arn: str) -> Body:
    """A pipeline by its name, in any case, or its ARN; raises `AwsError` (ResourceNotFound)."""
    name = name_or_arn.rpartition("/")[2].lower()
    body = cloud.store.find(KIND, name)
    if body is None:
        raise not_found(f"Pipeline '{name_or_arn}' does not exist.")
    return body


def refuse(request: dict[str, Any], *members: str) -> None:
    """Refuse what AWS offers and this cloud does not, rather than leave it out silently."""
    for member in members:
        if request.get(member):
            raise validation_error(f"{member} is not carried out by local-aws.")


@SAGEMAKER.operation("CreatePipeline")
def create_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Keep a pipeline whose definition can be carried out."""
    refuse(request, "PipelineVersionAliases")
    name = request["PipelineName"]
    text = _definition(cloud, request)
    arn = cloud.arn(f"pipeline/{name.lower()}")
    execution_role.check(cloud, request["RoleArn"], arn)
    with cloud.store.transaction():
        existing = cloud.store.find(KIND, name.lower())
        if existing is not None:
            if existing["_token"] == request["ClientRequestToken"]:
                return {"PipelineArn": arn}
            raise validation_error(
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists."
            )
        at = now()
        body = {
            "PipelineArn": arn,
            "PipelineName": name,
            "PipelineDisplayName": request.get("PipelineDisplayName", name),
            "RoleArn": request["RoleArn"],
            "PipelineStatus": "Active",
            "CreationTime": at,
            "LastModifiedTime": at,
            "CreatedBy": {},
            "LastModifiedBy": {},
            "_token": request["ClientRequestToken"],
            **_given(request, "PipelineDescription", "ParallelismConfiguration"),
        }
        cloud.store.create(KIND, name.lower(), body)
        _keep_version(cloud, arn, 1, text)
        tags.record(cloud, arn, request)
    return {"PipelineArn": arn}


@SAGEMAKER.operation("UpdatePipeline")
def update_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Change a pipeline; another definition makes another version. Executions keep the one they were started with."""
    refuse(request, "PipelineVersionAliases")
    name = request["PipelineName"].lower()
    changes_definition = "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request
    found = find(cloud, name)
    if "RoleArn" in request:
        execution_role.check(cloud, request["RoleArn"], found["PipelineArn"])
    text = _definition(cloud, request) if changes_definition else None
    changes = _given(request, "PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
    with cloud.store.transaction():
        arn = find(cloud, name)["PipelineArn"]
        version = latest_version(cloud, arn)
        if text is not None:
            version += 1
            _keep_version(cloud, arn, version, text)
        cloud.store.update(KIND, name, {**changes, "LastModifiedTime": now()})
    return {"PipelineArn": arn, "PipelineVersionId": version}


@SAGEMAKER.operation("DescribePipeline")
def describe_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A pipeline with the latest version of its definition, or the one asked for."""
    refuse(request, "PipelineVersionAlias")
    body = find(cloud, request["PipelineName"])
    version = request.get("PipelineVersionId", latest_version(cloud, body["PipelineArn"]))
    runs = executions.of_pipeline(cloud, body["PipelineArn"])
    return {
        **_public(body),
        "PipelineDefinition": version_of(cloud, body["PipelineArn"], version)["_definition"],
        **({"LastRunTime": runs[-1]["CreationTime"]} if runs else {}),
    }


@SAGEMAKER.operation("DeletePipeline")
def delete_pipeline(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Delete a pipeline with its versions and its executions; one that is executing is refused."""
    with cloud.store.transaction():
        body = find(cloud, request["PipelineName"])
        arn = body["PipelineArn"]
        runs = executions.of_pipeline(cloud, arn)
        if any(run["PipelineExecutionStatus"] in (executions.EXECUTING, executions.STOPPING) for run in runs):
            raise AwsError(
                "ConflictException", f"Pipeline {arn} has running executions: stop them before you delete it."
            )
        for run in runs:
            cloud.store.delete(executions.KIND, run["PipelineExecutionArn"])
        for version in range(1, latest_version(cloud, arn) + 1):
            cloud.store.delete(executions.VERSION_KIND, executions.version_name(arn, version))
        cloud.store.delete(KIND, body["PipelineName"].lower())
        tags.forget(cloud, arn)
    return {"PipelineArn": arn}


@SAGEMAKER.operation("ListPipelines")
def list_pipelines(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Summaries of pipelines."""
    prefix = request.get("PipelineNamePrefix", "").lower()
    bodies = [body for body in cloud.store.all(KIND) if body["PipelineName"].lower().startswith(prefix)]
    rows, token = listing.page(bodies, within_times(request), name_key="PipelineName")
    summaries = []
    for row in rows:
        runs = executions.of_pipeline(cloud, row["PipelineArn"])
        last = {"LastExecutionTime": runs[-1]["CreationTime"]} if runs else {}
        summaries.append({**{name: row[name] for name in _SHOWN_IN_LIST if name in row}, **last})
    return listing.answer("PipelineSummaries", summaries, token)


@SAGEMAKER.operation("ListPipelineVersions")
def list_pipeline_versions(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The versions of a pipeline's definition."""
    arn = find(cloud, request["PipelineName"])["PipelineArn"]
    versions = [version_of(cloud, arn, number) for number in range(1, latest_version(cloud, arn) + 1)]
    rows, token = listing.page(
        versions, within_times(request), name_key="PipelineArn", default_sort="PipelineVersionId"
    )
    return listing.answer("PipelineVersionSummaries", [_public(row) for row in rows], token)


def latest_version(cloud: Cloud, arn: str) -> int:
    """The number of the latest version of a pipeline."""
    versions = cloud.store.all(executions.VERSION_KIND, {"PipelineArn": arn}, ["PipelineVersionId"])
    return max((row["PipelineVersionId"] for row in versions), default=0)


def version_of(cloud: Cloud, arn: str, version: int) -> Body:
    """One version of a pipeline; raises `AwsError` (ResourceNotFound)."""
    try:
        return cloud.store.get(executions.VERSION_KIND, executions.version_name(arn, version))
    except Missing as error:
        raise not_found(f"Pipeline {arn} has no version {version}.") from error


def within_times(request: dict[str, Any]) -> dict[str, Any]:
    """A List request with CreatedAfter / CreatedBefore under the names that other resources have for them."""
    names = {"CreatedAfter": "CreationTimeAfter", "CreatedBefore": "CreationTimeBefore"}
    return {names.get(name, name): value for name, value in request.items()}


def _definition(cloud: Cloud, request: dict[str, Any]) -> str:
    """The definition a request holds or names, checked."""
    if ("PipelineDefinition" in request) == ("PipelineDefinitionS3Location" in request):
        raise validation_error("Exactly one of PipelineDefinition and PipelineDefinitionS3Location must be provided.")
    text = request.get("PipelineDefinition") or _from_s3(cloud, request["PipelineDefinitionS3Location"])
    check(read_definition(text))
    return text


def _from_s3(cloud: Cloud, location: dict[str, str]) -> str:
    version = {"VersionId": location["VersionId"]} if "VersionId" in location else {}
    try:
        response = cloud.client("s3").get_object(Bucket=location["Bucket"], Key=location["ObjectKey"], **version)
    except ClientError as error:
        raise validation_error(
            f"Unable to read the pipeline definition at s3://{location['Bucket']}/{location['ObjectKey']}: "
            f"{error.response['Error']['Message']}"
        ) from error
    return response["Body"].read().decode("utf-8", "replace")


def _keep_version(cloud: Cloud, arn: str, version: int, text: str) -> None:
    row = {"PipelineArn": arn, "PipelineVersionId": version, "CreationTime": now(), "_definition": text}
    cloud.store.create(executions.VERSION_KIND, executions.version_name(arn, version), row)


def _given(request: dict[str, Any], *members: str) -> dict[str, Any]:
    return {member: request[member] for member in members if member in request}


def _public(body: Body) -> Body:
    return {name: value for name, value in body.items() if not name.startswith("_")}
