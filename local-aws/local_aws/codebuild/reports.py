"""The test results of a build: JUnit XML files become a report in a report group, with a row for each test case.

https://docs.aws.amazon.com/codebuild/latest/userguide/test-reporting.html
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import junitparser

from local_aws.cloud import Cloud
from local_aws.codebuild.artifacts import matching
from local_aws.codebuild.buildspec import ReportSpec
from local_aws.codebuild.failure import CLIENT_ERROR, PhaseFailed
from local_aws.errors import AwsError
from local_aws.iam import authorization
from local_aws.store import Exists, now

GROUP, REPORT, CASES = "codebuild_report_group", "codebuild_report", "codebuild_test_cases"
# https://docs.aws.amazon.com/codebuild/latest/userguide/report-group-create.html: kept for 30 days
_KEPT = timedelta(days=30)
# https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html
_ADDING = ("codebuild:CreateReport", "codebuild:BatchPutTestCases", "codebuild:UpdateReport")
_MESSAGE = 4096
# https://docs.aws.amazon.com/codebuild/latest/userguide/test-report.html: failed ones first, the rest is cut off
_MOST_CASES = 500


def add(cloud: Cloud, build: Mapping[str, Any], spec: ReportSpec, source: Path, expand: Callable[[str], str]) -> str:
    """Make the report that one section of `reports` asks for; its ARN.

    Raises `PhaseFailed` where no file is found, a file is no JUnit XML, or the report group does not exist.
    """
    group = group_of(cloud, build["projectName"], spec.group)
    for action in _ADDING:
        _require(cloud, action, group["arn"])
    root = source / (expand(spec.base_directory) or ".")
    files = matching(root.resolve(), tuple(expand(pattern) for pattern in spec.files))
    if not files:
        raise PhaseFailed(CLIENT_ERROR, f"[{spec.group}: [report files not found in build]]")
    arn = f"{group['arn'].replace(':report-group/', ':report/')}:{uuid.uuid4()}"
    cases = [case for file in files for case in _cases(arn, file, file.relative_to(root.resolve()).as_posix())]
    counts = Counter({"ERROR": 0, "FAILED": 0, "SKIPPED": 0, "SUCCEEDED": 0, "UNKNOWN": 0})
    counts.update(case["status"] for case in cases)
    at = now()
    body = {
        "arn": arn,
        "type": group["type"],
        "name": f"{build['projectName']}-{build['buildNumber']}",
        "reportGroupArn": group["arn"],
        "executionId": build["arn"],
        "status": "FAILED" if counts["FAILED"] or counts["ERROR"] else "SUCCEEDED",
        "created": at,
        "expired": at + _KEPT,
        "exportConfig": group["exportConfig"],
        "truncated": len(cases) > _MOST_CASES,
        "testSummary": {
            "total": len(cases),
            "statusCounts": dict(counts),
            "durationInNanoSeconds": sum(case["durationInNanoSeconds"] for case in cases),
        },
    }
    kept = sorted(cases, key=lambda case: case["status"] != "FAILED") if body["truncated"] else cases
    with cloud.store.transaction():
        cloud.store.create(REPORT, arn, body)
        cloud.store.create(CASES, arn, {"cases": [{**case, "expired": at + _KEPT} for case in kept[:_MOST_CASES]]})
    return arn


def group_of(cloud: Cloud, project: str, name: str) -> dict[str, Any]:
    """The report group that a buildspec names: by ARN, or `<project>-<name>`, which is made where it is not there."""
    if name.startswith("arn:"):
        found = cloud.store.find(GROUP, name)
        if found is None:
            raise PhaseFailed(CLIENT_ERROR, f"Report group {name} does not exist")
        return found
    at = now()
    full = f"{project}-{name}"
    arn = cloud.arn(f"report-group/{full}", "codebuild")
    body = {
        "arn": arn,
        "name": full,
        "type": "TEST",
        "exportConfig": {"exportConfigType": "NO_EXPORT"},
        "created": at,
        "lastModified": at,
        "tags": [],
        "status": "ACTIVE",
    }
    if cloud.store.find(GROUP, arn) is None:
        _require(cloud, "codebuild:CreateReportGroup", arn)
    try:
        cloud.store.create(GROUP, arn, body)
    except Exists:
        return cloud.store.get(GROUP, arn)
    return body


def _require(cloud: Cloud, action: str, arn: str) -> None:
    """Refuse what the build's role may not do to a report group, as the agent's own requests would be."""
    try:
        authorization.require(cloud, action, arn)
    except AwsError as error:
        raise PhaseFailed(CLIENT_ERROR, error.message) from error


def _cases(arn: str, file: Path, shown: str) -> Iterator[dict[str, Any]]:
    try:
        read = junitparser.JUnitXml.fromfile(str(file))
    except Exception as error:
        # junitparser passes on what either of its two XML parsers raises.
        raise PhaseFailed(CLIENT_ERROR, f"report file {shown} is no JUnit XML: {error}") from error
    for suite in _suites(read):
        for case in suite.iterchildren(junitparser.TestCase):
            status, message = _status(case)
            yield {
                "reportArn": arn,
                "testRawDataPath": shown,
                "prefix": case.classname or "",
                "name": case.name or "",
                "status": status,
                "durationInNanoSeconds": int((case.time or 0) * 1_000_000_000),
                "message": message[:_MESSAGE],
                "testSuiteName": suite.name or "",
            }


def _suites(read: Any) -> Iterator[junitparser.TestSuite]:
    for suite in [read] if isinstance(read, junitparser.TestSuite) else read:
        yield suite
        yield from _suites(suite.testsuites())


def _status(case: junitparser.TestCase) -> tuple[str, str]:
    for result in case.result:
        status = {junitparser.Failure: "FAILED", junitparser.Error: "ERROR", junitparser.Skipped: "SKIPPED"}
        found = status.get(type(result))
        if found:
            return found, result.message or result.text or ""
    return "SUCCEEDED", ""
