"""Build projects: what a build is made from, checked when it is written down.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codebuild.cache import drop
from local_aws.codebuild.provisioning import SERVICE
from local_aws.codebuild.sources import GIT
from local_aws.errors import AwsError
from local_aws.iam import sessions
from local_aws.operations import CODEBUILD
from local_aws.store import Exists, Missing, now

KIND = "codebuild_project"
Body = dict[str, Any]

_TIMEOUT, _QUEUED_TIMEOUT = 60, 480
_LINUX = ("LINUX_CONTAINER", "ARM_CONTAINER", "LINUX_EC2", "ARM_EC2")
# What a project may say and this cloud does not carry out: member -> why.
_NOT_CARRIED_OUT = {
    "fileSystemLocations": "no file system is mounted into builds",
    "buildBatchConfig": "batch builds are not carried out",
    "autoRetryLimit": "builds are not tried again by themselves; call RetryBuild",
    "badgeEnabled": "there are no build badges",
}


def invalid(message: str) -> AwsError:
    """A request that breaks a rule of CodeBuild's."""
    return AwsError("InvalidInputException", message)


def missing(message: str) -> AwsError:
    """Something that a request names and that does not exist."""
    return AwsError("ResourceNotFoundException", message)


def find(cloud: Cloud, name: str) -> Body:
    """A project by its name or ARN; raises `AwsError` (ResourceNotFoundException)."""
    short = name.rpartition(":project/")[2]
    project = cloud.store.find(KIND, short)
    if project is None:
        raise missing(f"Project cannot be found: {cloud.arn(f'project/{short}', 'codebuild')}")
    return project


@CODEBUILD.operation("CreateProject")
def create_project(cloud: Cloud, request: Body) -> Body:
    """Write a project down; it is checked as far as AWS checks it, and for what is not carried out here."""
    at = now()
    project = {
        "timeoutInMinutes": _TIMEOUT,
        "queuedTimeoutInMinutes": _QUEUED_TIMEOUT,
        "encryptionKey": f"arn:aws:kms:{cloud.settings.region}:{cloud.settings.account}:alias/aws/s3",
        "cache": {"type": "NO_CACHE"},
        "tags": [],
        "projectVisibility": "PRIVATE",
        **request,
        "badge": {"badgeEnabled": False},
        "arn": cloud.arn(f"project/{request['name']}", "codebuild"),
        "created": at,
        "lastModified": at,
        "_uuid": str(uuid.uuid4()),
        "_builds": 0,
    }
    check(cloud, project)
    project.pop("badgeEnabled", None)
    try:
        cloud.store.create(KIND, request["name"], project)
    except Exists:
        raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {project['arn']}") from None
    return {"project": shown(project)}


@CODEBUILD.operation("UpdateProject")
def update_project(cloud: Cloud, request: Body) -> Body:
    """Replace the members that the request names."""
    find(cloud, request["name"])

    def change(project: Body) -> Body:
        changed = {**project, **request, "lastModified": now()}
        check(cloud, changed)
        changed.pop("badgeEnabled", None)
        if changed.get("concurrentBuildLimit") == -1:
            del changed["concurrentBuildLimit"]
        return changed

    return {"project": shown(cloud.store.update(KIND, request["name"], change))}


@CODEBUILD.operation("DeleteProject")
def delete_project(cloud: Cloud, request: Body) -> None:
    """Remove a project; its builds stay readable. One that is not there is removed already."""
    name = request["name"].rpartition(":project/")[2]
    try:
        cloud.store.delete(KIND, name)
    except Missing:
        return
    drop(cloud, name)


@CODEBUILD.operation("BatchGetProjects")
def batch_get_projects(cloud: Cloud, request: Body) -> Body:
    found = [cloud.store.find(KIND, name.rpartition(":project/")[2]) for name in request["names"]]
    return {
        "projects": [shown(project) for project in found if project],
        "projectsNotFound": [name for name, project in zip(request["names"], found, strict=True) if not project],
    }


@CODEBUILD.operation("ListProjects")
def list_projects(cloud: Cloud, request: Body) -> Body:
    keys: dict[str, Callable[[Body], Any]] = {
        "NAME": lambda project: project["name"],
        "CREATED_TIME": lambda project: project["created"],
        "LAST_MODIFIED_TIME": lambda project: project["lastModified"],
    }
    rows = sorted(cloud.store.all(KIND), key=keys[request.get("sortBy", "NAME")])
    if request.get("sortOrder") == "DESCENDING":
        rows.reverse()
    return {"projects": [project["name"] for project in rows]}


@CODEBUILD.operation("InvalidateProjectCache")
def invalidate_project_cache(cloud: Cloud, request: Body) -> None:
    """Forget a project's cache; what it has in S3 is found no more, as on AWS, where it also stays in the bucket."""
    project = find(cloud, request["projectName"])
    drop(cloud, project["name"])
    if project["cache"]["type"] == "S3":
        cache = {**project["cache"], "cacheNamespace": uuid.uuid4().hex}
        cloud.store.update(KIND, project["name"], {"cache": cache, "lastModified": now()})


def shown(body: Mapping[str, Any]) -> Body:
    """A stored body without its private members."""
    return {key: value for key, value in body.items() if not key.startswith("_")}


def check(cloud: Cloud, project: Mapping[str, Any]) -> None:
    """Refuse a project (or a build's overrides of one) that could not be built: InvalidInputException."""
    for member, reason in _NOT_CARRIED_OUT.items():
        if project.get(member):
            raise invalid(f"{member} is not carried out by local-aws: {reason}")
    environment = project["environment"]
    if environment["type"] not in _LINUX:
        raise invalid(f"environment type {environment['type']} is not carried out by local-aws: builds are processes")
    for member in ("certificate", "registryCredential", "fleet", "dockerServer"):
        if environment.get(member):
            raise invalid(f"environment.{member} is not carried out by local-aws")
    if project.get("logsConfig", {}).get("s3Logs", {}).get("status") == "ENABLED":
        raise invalid("logsConfig.s3Logs is not carried out by local-aws: logs go to CloudWatch Logs")
    _check_source(project)
    _check_artifacts(project)
    cache = project.get("cache", {})
    if cache.get("type") == "S3" and not cache.get("location"):
        raise invalid("Invalid cache: location must be set when the cache type is S3")
    try:
        sessions.principal(cloud, project["serviceRole"], "AWSCodeBuild", SERVICE)
    except AwsError as error:
        raise invalid(
            f"CodeBuild is not authorized to perform: sts:AssumeRole on service role {project['serviceRole']}: "
            f"{error.message}"
        ) from error


def _check_source(project: Mapping[str, Any]) -> None:
    source = project["source"]
    for each in (source, *project.get("secondarySources", [])):
        kind = each["type"]
        if kind in ("S3", *GIT) and not each.get("location"):
            raise invalid(f"Invalid project source: location is required for type {kind}")
        if kind == "S3" and "/" not in each["location"]:
            raise invalid(f"Invalid project source: S3 location {each['location']} must be bucket/key")
        for member in ("reportBuildStatus", "buildStatusConfig", "insecureSsl"):
            if each.get(member):
                raise invalid(f"source.{member} is not carried out by local-aws")
        if each.get("gitSubmodulesConfig", {}).get("fetchSubmodules"):
            raise invalid("source.gitSubmodulesConfig is not carried out by local-aws")
    for each in project.get("secondarySources", []):
        if not each.get("sourceIdentifier"):
            raise invalid("Invalid project source: a secondary source needs a sourceIdentifier")
    if source["type"] == "NO_SOURCE" and not source.get("buildspec"):
        raise invalid("Invalid project source: type is NO_SOURCE but no buildspec was given")


def _check_artifacts(project: Mapping[str, Any]) -> None:
    artifacts, source = project["artifacts"], project["source"]
    if (artifacts["type"] == "CODEPIPELINE") != (source["type"] == "CODEPIPELINE"):
        raise invalid("Invalid artifacts: source and artifacts must both have the type CODEPIPELINE, or neither")
    for each in (artifacts, *project.get("secondaryArtifacts", [])):
        if each["type"] == "S3" and not each.get("location"):
            raise invalid("Invalid artifacts: location is required for type S3")
    for each in project.get("secondaryArtifacts", []):
        if not each.get("artifactIdentifier"):
            raise invalid("Invalid artifacts: a secondary artifact needs an artifactIdentifier")
