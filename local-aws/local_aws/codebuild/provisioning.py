"""What a build is given before its first phase: a log stream, its buildspec, and what it is told of its sources.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
"""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.codebuild.buildspec import Buildspec, YamlRefused, parse
from local_aws.codebuild.failure import CLIENT_ERROR, YAML_FILE_ERROR, PhaseFailed
from local_aws.codebuild.sources import Downloaded
from local_aws.errors import AwsError

SERVICE = "codebuild.amazonaws.com"
_INLINE = ("version:", "{", "version ", "#", "---", '"version"')


def session_name(build_id: str) -> str:
    """The name of the role's session, as CodeBuild calls it."""
    return f"AWSCodeBuild-{build_id.rpartition(':')[2]}"


def make_stream(cloud: Cloud, group: str, stream: str) -> None:
    """Make the build's log stream, and its group where there is none, on behalf of whoever acts now.

    Raises `PhaseFailed` (ACCESS_DENIED) where the service role may not.
    """
    client = cloud.client("logs")
    try:
        try:
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        except client.exceptions.ResourceNotFoundException:
            # Another build of the project may be as far as this one.
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName=stream)
    except ClientError as error:
        raise PhaseFailed(
            "ACCESS_DENIED",
            "Service role does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams: "
            f"{error.response['Error']['Message']}",
        ) from error


def read_buildspec(cloud: Cloud, written: str, source: Path | None) -> tuple[str, Buildspec]:
    """Where the buildspec is, and what it says: `written` is its text, a path in the source, or an ARN in S3.

    Raises `PhaseFailed` (YAML_FILE_ERROR) for one that is not there or cannot be read.
    """
    if "\n" in written or written.lstrip().startswith(_INLINE):
        return "the project", _parsed(written, "buildspec of the project")
    if written.startswith("arn:aws:s3:::"):
        bucket, _, key = written.removeprefix("arn:aws:s3:::").partition("/")
        try:
            text = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except (ClientError, AwsError, UnicodeDecodeError) as error:
            raise PhaseFailed(YAML_FILE_ERROR, f"{written}: {error}") from error
        return written, _parsed(text, key)
    if source is None:
        raise PhaseFailed(CLIENT_ERROR, "A project with NO_SOURCE needs the text of its buildspec")
    path = source / (written or "buildspec.yml")
    if not path.resolve().is_relative_to(source.resolve()):
        raise PhaseFailed(YAML_FILE_ERROR, f"{written} leads outside of the source")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PhaseFailed(YAML_FILE_ERROR, f"{written or 'buildspec.yml'} is no UTF-8 text: {error}") from error
    except OSError as error:
        raise PhaseFailed(YAML_FILE_ERROR, f"stat {path}: {(error.strerror or str(error)).lower()}") from error
    return str(path), _parsed(text, written or "buildspec.yml")


def _parsed(text: str, shown: str) -> Buildspec:
    try:
        buildspec = parse(text)
    except YamlRefused as error:
        raise PhaseFailed(YAML_FILE_ERROR, f"{shown}: {error}") from error
    for phase, user in [("run-as", buildspec.run_as), *((name, it.run_as) for name, it in buildspec.phases.items())]:
        if user not in ("", getpass.getuser()):
            raise PhaseFailed(
                YAML_FILE_ERROR,
                f"{shown}: {phase}: run-as {user} is not carried out by local-aws, whose builds all run as "
                f"{getpass.getuser()}",
            )
    return buildspec


def source_variables(build: Mapping[str, Any], sources: list[Downloaded]) -> dict[str, str]:
    """CodeBuild's variables about the sources, the primary one of which comes first."""
    primary = sources[0]
    version = build.get("sourceVersion") or ""
    return {
        "CODEBUILD_SRC_DIR": str(primary.folder),
        **{f"CODEBUILD_SRC_DIR_{each.source.identifier}": str(each.folder) for each in sources[1:]},
        "CODEBUILD_SOURCE_VERSION": version,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.get("resolvedSourceVersion") or "",
        "CODEBUILD_SOURCE_REPO_URL": "" if primary.source.type in ("S3", "CODEPIPELINE") else primary.source.location,
    }
