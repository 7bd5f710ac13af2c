"""Build projects of the shared cloud: sources as zips in S3, builds run to their end, and their logs."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"


@dataclass(frozen=True)
class Built:
    """A build that has ended, as BatchGetBuilds answers it, and its log."""

    body: dict[str, Any]
    log: str

    @property
    def status(self) -> str:
        return str(self.body["buildStatus"])

    @property
    def exported(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.body.get("exportedEnvironmentVariables", [])}

    @property
    def phases(self) -> dict[str, str | None]:
        """The status of each phase by its type."""
        return {phase["phaseType"]: phase.get("phaseStatus") for phase in self.body["phases"]}

    def context(self, phase: str) -> str:
        """Status code and message of a phase's contexts."""
        found = next(each for each in self.body["phases"] if each["phaseType"] == phase)
        return "; ".join(f"{item['statusCode']}: {item['message']}" for item in found.get("contexts", []))

    @property
    def said(self) -> list[str]:
        """What the commands wrote: the log without the agent's lines."""
        return [line for line in self.log.splitlines() if not line.startswith("[Container] ")]


class Builds:
    """Projects and builds in one cloud; every name is new."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self._role = ""
        self.bucket = cloud.new_bucket()
        self.s3, self.iam = cloud.client("s3"), cloud.client("iam")
        self.codebuild, self.logs = cloud.client("codebuild"), cloud.client("logs")

    def role(self, policy: dict[str, Any] | None = None, trust: dict[str, Any] | None = None) -> str:
        """A service role that may do what `policy` says, everything by default; its ARN."""
        if policy is None and trust is None and self._role:
            return self._role
        name = f"build-{uuid.uuid4().hex[:10]}"
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))
        self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy or EVERYTHING))
        arn = str(made["Role"]["Arn"])
        if policy is None and trust is None:
            self._role = arn
        return arn

    def zip(self, files: dict[str, str]) -> str:
        """Upload a source; its location."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        key = f"source/{uuid.uuid4().hex}.zip"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=buffer.getvalue())
        return f"{self.bucket}/{key}"

    def project(self, files: dict[str, str] | None = None, **changes: Any) -> str:
        """A project whose source has these files (`buildspec.yml` among them); its name."""
        name = f"project-{uuid.uuid4().hex[:10]}"
        environment = {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"}
        request = {
            "name": name,
            "source": {"type": "S3", "location": self.zip(files or {})},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "serviceRole": changes.pop("serviceRole", None) or self.role(),
            **changes,
            "environment": {**environment, **changes.pop("environment", {})},
        }
        self.codebuild.create_project(**request)
        return name

    def start(self, project: str, **overrides: Any) -> str:
        return str(self.codebuild.start_build(projectName=project, **overrides)["build"]["id"])

    def get(self, build_id: str) -> dict[str, Any]:
        return dict(self.codebuild.batch_get_builds(ids=[build_id])["builds"][0])

    def ended(self, build_id: str, seconds: float = 60) -> Built:
        """A build once it is complete."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            body = self.get(build_id)
            if body["buildComplete"]:
                return Built(body, self.log(body))
            time.sleep(0.02)
        pytest.fail(f"build {build_id} still in {body['currentPhase']} after {seconds} s: {self.log(body)}")

    def log(self, body: dict[str, Any]) -> str:
        """All that a build's log stream holds."""
        if "groupName" not in body["logs"]:
            return ""
        where = {"logGroupName": body["logs"]["groupName"], "logStreamName": body["logs"]["streamName"]}
        try:
            events = self.logs.get_log_events(**where, startFromHead=True)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(event["message"] for event in events)

    def run(self, buildspec: str, files: dict[str, str] | None = None, **changes: Any) -> Built:
        """Build a project of a buildspec and files; `changes` are members of the project."""
        return self.ended(self.start(self.project({"buildspec.yml": buildspec, **(files or {})}, **changes)))

    def commands(self, *commands: str, **changes: Any) -> Built:
        """Build a project whose build phase has these commands."""
        return self.run(json.dumps({"version": "0.2", "phases": {"build": {"commands": commands}}}), **changes)

    def put(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=body)

    def archive(self, location: str) -> dict[str, str]:
        """The files of a zip in S3 by name, as text; `location` is an ARN or bucket/key."""
        bucket, _, key = location.removeprefix("arn:aws:s3:::").partition("/")
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="session")
def builds(cloud: Any) -> Builds:
    """Projects and builds of the shared cloud."""
    return Builds(cloud)


@pytest.fixture
def builds_of() -> type[Builds]:
    """Projects and builds of a cloud of the test's own: `builds_of(cloud)`."""
    return Builds
