"""A build in a browser: phases, log and reports while it runs and once it has ended, and the button that stops it."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import pytest
from playwright.sync_api import Page, expect

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
JUNIT = """<testsuite name="unit" tests="2" failures="1">
<testcase classname="test_pin" name="test_reads" time="0.25"/>
<testcase classname="test_pin" name="test_refuses" time="0.5"><failure message="expected 3, not 4">at line 7</failure>
</testcase></testsuite>"""


class Builds:
    """Builds of one cloud; every project has a name and a role of its own."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.codebuild = cloud.client("codebuild")

    def start(self, *commands: str, **more: Any) -> str:
        """Start a build of these commands; `more` are members of the buildspec. Its id."""
        buildspec = {"version": "0.2", "phases": {"build": {"commands": list(commands)}}, **more}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("buildspec.yml", json.dumps(buildspec))
            archive.writestr("report.xml", JUNIT)
        bucket, name = self.cloud.new_bucket(), f"build-{uuid.uuid4().hex[:8]}"
        self.cloud.client("s3").put_object(Bucket=bucket, Key="source.zip", Body=packed.getvalue())
        iam = self.cloud.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(EVERYTHING))
        self.codebuild.create_project(
            name=name,
            source={"type": "S3", "location": f"{bucket}/source.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            serviceRole=role,
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [{"name": "SHOWN", "value": "<b>bold</b>"}],
            },
        )
        return str(self.codebuild.start_build(projectName=name)["build"]["id"])


@pytest.fixture
def builds(cloud: Any) -> Builds:
    return Builds(cloud)


def test_a_build_shows_its_log_as_it_grows_and_its_phases_as_they_end(web: Page, builds: Builds) -> None:
    build = builds.start(
        "echo begun", "sleep 2", "export RESULT=42", "echo ended", env={"exported-variables": ["RESULT"]}
    )
    web.goto("/")
    web.get_by_role("link", name=build.partition(":")[0]).click()
    expect(web.locator("pre.log")).to_contain_text("begun")
    expect(web.locator(".title .status")).to_have_text("In progress")
    expect(web.locator("pre.log")).to_contain_text("ended")
    expect(web.locator(".title .status")).to_have_text("✓Succeeded")
    expect(web.get_by_role("row", name="POST_BUILD")).to_contain_text("Succeeded")
    expect(web.get_by_role("row", name="RESULT")).to_contain_text("42")
    expect(web.get_by_role("row", name="SHOWN")).to_contain_text("<b>bold</b>")


def test_a_build_that_failed_says_which_command_did(web: Page, builds: Builds) -> None:
    build = builds.start("echo fine", "exit 3")
    web.goto(f"/_local/builds/{build}")
    expect(web.locator(".title .status")).to_have_text("✕Failed")
    expect(web.locator(".why").first).to_contain_text("exit 3")


def test_a_report_shows_the_test_that_failed_first_and_why(web: Page, builds: Builds) -> None:
    report = {"unit": {"files": ["report.xml"], "file-format": "JUNITXML"}}
    build = builds.start("true", reports=report)
    web.goto(f"/_local/builds/{build}")
    cases = web.locator("section", has_text="Report").locator("tbody tr")
    expect(cases.first).to_contain_text("test_refuses")
    expect(cases.first).to_contain_text("Failed")
    expect(cases.nth(1)).to_contain_text("expected 3, not 4")
    expect(cases.nth(2)).to_contain_text("Succeeded")


def test_a_click_stops_a_build(web: Page, builds: Builds) -> None:
    build = builds.start("echo begun", "sleep 100")
    web.goto(f"/_local/builds/{build}")
    expect(web.locator("pre.log")).to_contain_text("begun")
    web.get_by_role("button", name="Stop").click()
    expect(web.locator(".title .status")).to_have_text("–Stopped")  # noqa: RUF001
    expect(web.get_by_role("button", name="Stop")).to_have_count(0)
