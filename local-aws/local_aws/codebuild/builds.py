"""Builds: they are started, stopped, retried, read and deleted.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codebuild import overrides, projects, report_operations, room, run  # noqa: F401 - enters its operations
from local_aws.codebuild.failure import PhaseFailed
from local_aws.codebuild.record import FAILED, IN_PROGRESS, KIND, Record
from local_aws.codebuild.run import BuildRun
from local_aws.errors import AwsError
from local_aws.lifecycle import on_start
from local_aws.operations import CODEBUILD
from local_aws.principal import acting
from local_aws.store import Missing, now

Body = dict[str, Any]
_PAGE = 100
_TOKENS = "codebuild_token"


@CODEBUILD.operation("StartBuild")
def start_build(cloud: Cloud, request: Body) -> Body:
    """Start a build of a project with the overrides of the request."""
    return {"build": projects.shown(_started(cloud, request))}


def _started(cloud: Cloud, request: Body) -> Body:
    project = projects.find(cloud, request["projectName"])
    token = request.get("idempotencyToken")
    if token:
        asked = json.dumps(request, sort_keys=True, default=str)
        earlier = cloud.store.find(_TOKENS, token)
        if earlier and earlier["asked"] != asked:
            raise projects.invalid(f"idempotencyToken {token} was used with other parameters")
        if earlier:
            return find(cloud, earlier["build"])
    seen = overrides.applied(project, request)
    if seen["source"]["type"] == "CODEPIPELINE":
        raise projects.invalid("Invalid source: a project of type CODEPIPELINE is built by its pipeline only")
    build = begin(cloud, seen, _initiator(), {"_request": request})
    if token:
        cloud.store.put(_TOKENS, token, {"asked": asked, "build": build["id"]})
    return build


def begin(cloud: Cloud, project: Mapping[str, Any], initiator: str, more: Mapping[str, Any]) -> Body:
    """Write the record of a new build and start it. `project` has its overrides applied; `more` are members to add.

    Raises `AwsError`: InvalidInputException, or AccountLimitExceededException where the project's builds are as many
    as its concurrentBuildLimit.
    """
    projects.check(cloud, project)
    identifier = str(uuid.uuid4())
    name = f"{project['name']}:{identifier}"
    with cloud.store.transaction():
        running = [row for row in _of(cloud, project["name"]) if not row["buildComplete"]]
        limit = project.get("concurrentBuildLimit")
        if limit is not None and len(running) >= limit:
            raise AwsError(
                "AccountLimitExceededException",
                f"Cannot have more than {limit} builds in progress for the project {project['name']}",
            )
        stored = cloud.store.get(projects.KIND, project["name"])
        number = stored["_builds"] + 1
        cloud.store.update(projects.KIND, project["name"], {"_builds": number})
        at = now()
        copied = (
            "sourceVersion", "secondarySources", "secondarySourceVersions", "source", "cache", "environment",
            "serviceRole", "timeoutInMinutes", "queuedTimeoutInMinutes", "vpcConfig", "encryptionKey",
        )  # fmt: skip
        body = {
            "id": name,
            "arn": cloud.arn(f"build/{name}", "codebuild"),
            "buildNumber": number,
            "startTime": at,
            "currentPhase": "SUBMITTED",
            "buildStatus": IN_PROGRESS,
            "projectName": project["name"],
            "phases": [{"phaseType": "SUBMITTED", "startTime": at}],
            **{member: project[member] for member in copied if member in project},
            "artifacts": {"location": ""},
            "logs": _logs(cloud, project, name, identifier),
            "buildComplete": False,
            "initiator": initiator,
            "exportedEnvironmentVariables": [],
            "reportArns": [],
            "_artifacts": project["artifacts"],
            "_secondaryArtifacts": project.get("secondaryArtifacts", []),
            "_projectUuid": stored["_uuid"],
            **more,
        }
        cloud.store.create(KIND, name, body)
    BuildRun(cloud, name).start()
    return body


def _initiator() -> str:
    """Who starts a build: the role of the caller's session, or the administrator."""
    role = acting().role_arn
    return f"{role.rpartition('/')[2]}/{acting().session}" if role else "user/administrator"


def _logs(cloud: Cloud, project: Mapping[str, Any], name: str, identifier: str) -> Body:
    config = project.get("logsConfig", {}).get("cloudWatchLogs", {"status": "ENABLED"})
    logs: Body = {
        "deepLink": f"{cloud.settings.endpoint_url}/_local/builds/{name}",
        "cloudWatchLogs": config,
        "s3Logs": {"status": "DISABLED", "encryptionDisabled": False},
    }
    if config["status"] == "ENABLED":
        group = config.get("groupName") or f"/aws/codebuild/{project['name']}"
        stream = f"{config['streamName']}/{identifier}" if config.get("streamName") else identifier
        arn = cloud.arn(f"log-group:{group}:log-stream:{stream}", "logs")
        logs.update(groupName=group, streamName=stream, cloudWatchLogsArn=arn)
    return logs


def find(cloud: Cloud, name: str) -> Body:
    """A build by its id or ARN; raises `AwsError` (ResourceNotFoundException)."""
    body = cloud.store.find(KIND, name.rpartition(":build/")[2])
    if body is None:
        raise projects.missing(f"Build cannot be found: {name}")
    return body


def _of(cloud: Cloud, project: str) -> list[Body]:
    return cloud.store.all(KIND, {"projectName": project})


@CODEBUILD.operation("BatchGetBuilds")
def batch_get_builds(cloud: Cloud, request: Body) -> Body:
    found = [cloud.store.find(KIND, name.rpartition(":build/")[2]) for name in request["ids"]]
    return {
        "builds": [projects.shown(body) for body in found if body],
        "buildsNotFound": [name for name, body in zip(request["ids"], found, strict=True) if not body],
    }


@CODEBUILD.operation("ListBuilds")
def list_builds(cloud: Cloud, request: Body) -> Body:
    return _page(cloud.store.all(KIND), request)


@CODEBUILD.operation("ListBuildsForProject")
def list_builds_for_project(cloud: Cloud, request: Body) -> Body:
    project = projects.find(cloud, request["projectName"])
    return _page(_of(cloud, project["name"]), request)


def _page(rows: list[Body], request: Body) -> Body:
    """The ids of builds, newest first where the request does not say otherwise, a hundred at a time."""
    names = [row["id"] for row in rows]
    if request.get("sortOrder", "DESCENDING") == "DESCENDING":
        names.reverse()
    token = request.get("nextToken", "0")
    if not (token.isdecimal() and token.isascii() and len(token) < 10):
        raise projects.invalid(f"Invalid nextToken: {token}")
    start = int(token)
    end = start + _PAGE
    return {"ids": names[start:end], **({"nextToken": str(end)} if end < len(names) else {})}


@CODEBUILD.operation("StopBuild")
def stop_build(cloud: Cloud, request: Body) -> Body:
    """Ask a build to stop; it is STOPPED shortly after. One that is complete stays as it is."""
    body = find(cloud, request["id"])
    running = run.RUNS.get(body["id"])
    if running is not None:
        running.stop()
    return {"build": projects.shown(body)}


@CODEBUILD.operation("RetryBuild")
def retry_build(cloud: Cloud, request: Body) -> Body:
    """Start a build anew as it was asked for, of the project as it is now."""
    if "id" not in request:
        raise projects.invalid("RetryBuild needs the id of a build")
    earlier = find(cloud, request["id"])
    if not earlier["buildComplete"]:
        raise projects.invalid(f"Build {earlier['id']} is still in progress")
    if "_request" not in earlier:
        raise projects.invalid(
            f"Build {earlier['id']} was started by {earlier['initiator']}: retry the pipeline's stage"
        )
    request = {key: value for key, value in earlier["_request"].items() if key != "idempotencyToken"}
    return {"build": projects.shown(_started(cloud, request))}


@CODEBUILD.operation("BatchDeleteBuilds")
def batch_delete_builds(cloud: Cloud, request: Body) -> Body:
    deleted, kept = [], []
    for name in request["ids"]:
        short = name.rpartition(":build/")[2]
        body = cloud.store.find(KIND, short)
        if body is not None and not body["buildComplete"]:
            kept.append({"id": name, "statusCode": "BUILD_IN_PROGRESS"})
            continue
        with contextlib.suppress(Missing):
            cloud.store.delete(KIND, short)
            run.log_file(cloud, short).unlink(missing_ok=True)
        deleted.append(cloud.arn(f"build/{short}", "codebuild"))
    return {"buildsDeleted": deleted, "buildsNotDeleted": kept}


@on_start
def fail_what_was_running(cloud: Cloud) -> None:
    """Builds do not survive the server; what they left on the disk goes, too."""
    for body in cloud.store.all(KIND):
        if not body["buildComplete"]:
            record = Record(cloud, body["id"])
            record.end(FAILED, [PhaseFailed("INTERNAL_ERROR", "local-aws was stopped while the build was in progress")])
            record.complete(FAILED)
    for folder in (cloud.settings.home / "builds").glob("*"):
        if folder.name != "cache":
            room.remove(folder)
