"""Builds of CodeBuild: their phases with contexts, their log as it grows, their variables and reports of tests."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from local_aws.cloud import Cloud
from local_aws.operations import CODEBUILD
from local_aws.pages import logs, mlflow_links
from local_aws.pages.logs import LogStream
from local_aws.pages.site import Link, NotThere, Visit, page
from local_aws.pages.statuses import Status

_KIND = "codebuild_build"
_REPORT = "codebuild_report"
_SERVICE = "codebuild"
_KEPT_ELSEWHERE = ("PARAMETER_STORE", "SECRETS_MANAGER")


def newest(cloud: Cloud, most: int = 10) -> list[dict[str, Any]]:
    """The builds that started last."""
    return cloud.store.all(_KIND)[: -most - 1 : -1]


@page("/_local/builds/<build_id>")
def build(visit: Visit, build_id: str) -> Response:
    """One build."""
    if visit.cloud.store.find(_KIND, build_id) is None:
        there = [Link(row["id"], visit.path(build, build_id=row["id"])) for row in newest(visit.cloud, 20)]
        raise NotThere(f"There is no build {build_id}.", there)
    body = visit.cloud.call(_SERVICE, "BatchGetBuilds", {"ids": [build_id]})["builds"][0]
    log = _log(visit, body)
    initiator = str(body.get("initiator", ""))
    pipeline = initiator.removeprefix("codepipeline/") if initiator.startswith("codepipeline/") else ""
    exported = body.get("exportedEnvironmentVariables", [])
    variables = dict(_variable(row) for row in body.get("environment", {}).get("environmentVariables", []))
    texts = [log.text if log else "", *(row.get("value", "") for row in exported)]
    links = mlflow_links.known([*mlflow_links.models("\n".join(texts)), mlflow_links.server(variables)])
    return visit.show(
        "build.html",
        title=build_id,
        build=body,
        status=Status.of(body["buildStatus"]),
        pipeline=Link(pipeline, visit.addresses.build("pipeline", {"name": pipeline})) if pipeline else None,
        phases=body.get("phases", []),
        variables=variables,
        exported=exported,
        reports=reports(visit, body.get("reportArns", [])),
        log=log,
        links=links,
        stoppable="StopBuild" in CODEBUILD.operations and not body["buildComplete"],
        moving=not body["buildComplete"],
    )


@page("/_local/builds/<build_id>/stop", method="POST")
def stop_build(visit: Visit, build_id: str) -> Response:
    """Stop a build that runs."""
    visit.cloud.call(_SERVICE, "StopBuild", {"id": build_id})
    return visit.go(visit.path(build, build_id=build_id))


def reports(visit: Visit, arns: list[str]) -> list[dict[str, Any]]:
    """Reports of tests, each with its cases under `cases`, those that failed first."""
    found = []
    for arn in arns:
        for report in visit.cloud.call(_SERVICE, "BatchGetReports", {"reportArns": [arn]})["reports"]:
            cases = visit.cloud.call(_SERVICE, "DescribeTestCases", {"reportArn": arn})["testCases"]
            found.append({**report, "cases": sorted(cases, key=lambda case: case["status"] == "SUCCEEDED")})
    return found


def _log(visit: Visit, body: dict[str, Any]) -> LogStream | None:
    where = body.get("logs", {})
    group = where.get("groupName") or f"/aws/codebuild/{body['projectName']}"
    return logs.stream(visit, group, where.get("streamName") or body["id"].partition(":")[2])


def _variable(row: dict[str, Any]) -> tuple[str, str]:
    """A variable of a build: of one that comes from a store, where it comes from."""
    kind = row.get("type", "PLAINTEXT")
    return row["name"], f"{row['value']} ({kind})" if kind in _KEPT_ELSEWHERE else row["value"]
