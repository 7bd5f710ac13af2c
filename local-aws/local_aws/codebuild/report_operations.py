"""Report groups, their reports and the test cases in them, as the API reads and changes them.

https://docs.aws.amazon.com/codebuild/latest/userguide/test-reporting.html
"""

from __future__ import annotations

import contextlib
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codebuild.projects import invalid, missing
from local_aws.codebuild.reports import CASES, GROUP, REPORT
from local_aws.errors import AwsError
from local_aws.operations import CODEBUILD
from local_aws.store import Exists, Missing, now

Body = dict[str, Any]
_PAGE = 100


@CODEBUILD.operation("CreateReportGroup")
def create_report_group(cloud: Cloud, request: Body) -> Body:
    """Make a report group; of its kinds, TEST, and of its exports, none are carried out."""
    if request["type"] != "TEST":
        raise invalid(f"Report groups of type {request['type']} are not carried out by local-aws, only TEST")
    _check_export(request)
    at = now()
    arn = cloud.arn(f"report-group/{request['name']}", "codebuild")
    body = {"tags": [], **request, "arn": arn, "created": at, "lastModified": at, "status": "ACTIVE"}
    try:
        cloud.store.create(GROUP, arn, body)
    except Exists:
        raise AwsError("ResourceAlreadyExistsException", f"Report group already exists: {arn}") from None
    return {"reportGroup": body}


@CODEBUILD.operation("UpdateReportGroup")
def update_report_group(cloud: Cloud, request: Body) -> Body:
    _check_export(request)
    changes = {key: value for key, value in request.items() if key != "arn"}
    try:
        body = cloud.store.update(GROUP, request["arn"], {**changes, "lastModified": now()})
    except Missing:
        raise missing(f"Report group does not exist: {request['arn']}") from None
    return {"reportGroup": body}


def _check_export(request: Body) -> None:
    if request.get("exportConfig", {}).get("exportConfigType", "NO_EXPORT") != "NO_EXPORT":
        raise invalid("exportConfig is not carried out by local-aws: raw reports are not exported to S3")


@CODEBUILD.operation("DeleteReportGroup")
def delete_report_group(cloud: Cloud, request: Body) -> None:
    """Remove a report group; one with reports only together with them (`deleteReports`)."""
    arn = request["arn"]
    held = _reports(cloud, arn)
    if held and not request.get("deleteReports"):
        raise invalid(f"Report group {arn} has {len(held)} report(s): delete them first, or set deleteReports")
    for report in held:
        delete_report(cloud, {"arn": report["arn"]})
    with contextlib.suppress(Missing):
        cloud.store.delete(GROUP, arn)


@CODEBUILD.operation("BatchGetReportGroups")
def batch_get_report_groups(cloud: Cloud, request: Body) -> Body:
    found = {arn: cloud.store.find(GROUP, arn) for arn in request["reportGroupArns"]}
    return {
        "reportGroups": [body for body in found.values() if body],
        "reportGroupsNotFound": [arn for arn, body in found.items() if not body],
    }


@CODEBUILD.operation("ListReportGroups")
def list_report_groups(cloud: Cloud, request: Body) -> Body:
    key = {"NAME": "name", "LAST_MODIFIED_TIME": "lastModified"}.get(request.get("sortBy", ""), "created")
    rows = sorted(cloud.store.all(GROUP), key=lambda body: body[key])
    return _page("reportGroups", [body["arn"] for body in rows], request, "ASCENDING")


@CODEBUILD.operation("ListReportsForReportGroup")
def list_reports_for_report_group(cloud: Cloud, request: Body) -> Body:
    arn = request["reportGroupArn"]
    if cloud.store.find(GROUP, arn) is None:
        raise missing(f"Report group does not exist: {arn}")
    return _page("reports", _listed(_reports(cloud, arn), request), request, "DESCENDING")


@CODEBUILD.operation("ListReports")
def list_reports(cloud: Cloud, request: Body) -> Body:
    return _page("reports", _listed(cloud.store.all(REPORT), request), request, "DESCENDING")


def _listed(rows: list[Body], request: Body) -> list[str]:
    wanted = request.get("filter", {}).get("status")
    return [row["arn"] for row in rows if wanted is None or row["status"] == wanted]


@CODEBUILD.operation("BatchGetReports")
def batch_get_reports(cloud: Cloud, request: Body) -> Body:
    found = {arn: cloud.store.find(REPORT, arn) for arn in request["reportArns"]}
    return {
        "reports": [body for body in found.values() if body],
        "reportsNotFound": [arn for arn, body in found.items() if not body],
    }


@CODEBUILD.operation("DescribeTestCases")
def describe_test_cases(cloud: Cloud, request: Body) -> Body:
    held = cloud.store.find(CASES, request["reportArn"])
    if held is None:
        raise missing(f"Report does not exist: {request['reportArn']}")
    wanted = request.get("filter", {})
    cases = [
        case
        for case in held["cases"]
        if case["status"] == wanted.get("status", case["status"]) and wanted.get("keyword", "") in case["name"]
    ]
    return _page("testCases", cases, request, "ASCENDING")


@CODEBUILD.operation("DeleteReport")
def delete_report(cloud: Cloud, request: Body) -> None:
    for kind in (REPORT, CASES):
        with contextlib.suppress(Missing):
            cloud.store.delete(kind, request["arn"])


def _reports(cloud: Cloud, group: str) -> list[Body]:
    return [row for row in cloud.store.all(REPORT) if row["reportGroupArn"] == group]


def _page(member: str, rows: list[Any], request: Body, order: str) -> Body:
    """One page of a list, in the order the request asks for, or in `order`."""
    if request.get("sortOrder", order) == "DESCENDING":
        rows = rows[::-1]
    token = request.get("nextToken", "0")
    if not (token.isdecimal() and token.isascii() and len(token) < 10):
        raise invalid(f"Invalid nextToken: {token}")
    start = int(token)
    end = start + request.get("maxResults", _PAGE)
    return {member: rows[start:end], **({"nextToken": str(end)} if end < len(rows) else {})}
