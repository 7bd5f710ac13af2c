"""Takes the CI/CD away again: what goes and what stays is said first, and only what the stack made is emptied.
Endpoints are stacks of their own, which cannot be changed any more once the roles they were deployed by are gone."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cicd.errors import CicdError
from cicd.stack import Event, Stack, events, find_stack, follow, reasons

# A build that still runs may write to the bucket after it was emptied.
_ATTEMPTS = 3
_GONE = frozenset({"NoSuchBucket", "404"})


@dataclass(frozen=True)
class Remains:
    """What there is to take away: the stack, its buckets, and the stacks of endpoints that run with its role."""

    stack: Stack
    endpoints: tuple[Stack, ...]
    pipeline_bucket: str
    artifact_bucket: str

    @property
    def project(self) -> str:
        return self.stack.parameters.get("ProjectName", self.stack.name)


def survey(cloudformation: Any, stack: Stack) -> Remains:
    """Find what belongs to a CI/CD stack."""
    resources = _resources(cloudformation, stack)
    role = stack.outputs.get("EndpointRoleArn")
    found = []
    if role:
        for page in cloudformation.get_paginator("describe_stacks").paginate():
            for each in page["Stacks"]:
                given = {it["ParameterKey"]: it.get("ParameterValue", "") for it in each.get("Parameters", [])}
                if given.get("ExecutionRoleArn") == role and "EndpointName" in given:
                    found.append(Stack(each["StackName"], each["StackId"], each["StackStatus"], given, {}))
    return Remains(stack, tuple(found), resources.get("PipelineBucket", ""), resources.get("ArtifactBucket", ""))


def remove_stack(
    cloudformation: Any,
    s3: Any,
    stack: Stack,
    report: Callable[[Event], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Delete a stack, first emptying the bucket that goes with it.

    Raises:
        CicdError: something of it cannot be deleted.
    """
    before: frozenset[str] = frozenset()
    for _ in range(_ATTEMPTS):
        found = find_stack(cloudformation, stack.id)
        if found is None or found.status == "DELETE_COMPLETE":
            return
        bucket = _resources(cloudformation, stack).get("PipelineBucket")
        if bucket:
            empty_bucket(s3, bucket)
        before = frozenset(event.id for event in events(cloudformation, stack.id))
        cloudformation.delete_stack(StackName=stack.name)
        if found.status == "REVIEW_IN_PROGRESS":
            return
        if follow(cloudformation, stack, before, report, sleep) == "DELETE_COMPLETE":
            return
    why = reasons([event for event in events(cloudformation, stack.id) if event.id not in before], stack.name)
    raise CicdError(
        f"The stack {stack.name} cannot be removed: {why[0] if why else 'CloudFormation names no reason'}. Remove the "
        "cause and try again.",
        why[1:],
    )


def empty_bucket(s3: Any, bucket: str) -> None:
    """Delete every version of every object; a bucket that is gone is empty."""
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            doomed = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]
            if doomed:
                refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True}).get("Errors", [])
                if refused:
                    raise CicdError(
                        f"S3 does not delete s3://{bucket}/{refused[0]['Key']}: {refused[0].get('Message', '')}"
                    )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise


def remove_bucket(s3: Any, bucket: str) -> None:
    """Empty a bucket and delete it."""
    empty_bucket(s3, bucket)
    try:
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise


def remove_reports(codebuild: Any, project: str) -> None:
    """Delete the report groups that builds of the project made for themselves."""
    tasks = ("model-build", "serving-image", "package", "smoke-test-staging", "smoke-test-prod")
    names = {f"{project}-{task}-tests" for task in tasks}
    for page in codebuild.get_paginator("list_report_groups").paginate():
        for arn in page["reportGroups"]:
            if arn.rpartition("/")[2] in names:
                codebuild.delete_report_group(arn=arn, deleteReports=True)


def _resources(cloudformation: Any, stack: Stack) -> Mapping[str, str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.id)
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each.get("PhysicalResourceId") and each["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
    }
