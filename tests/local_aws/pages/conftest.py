"""A Chromium on the pages of the shared cloud, and releases to look at: a repository, a pipeline with an approval."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

TEMPLATE = """
Resources:
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: here}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["codepipeline.amazonaws.com", "cloudformation.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium that `make test` found or unpacked."""
    known = Path(sys.prefix) / "browser" / "browser.json"
    if not known.exists():
        pytest.fail(f"There is no {known}: run `python tests/browser/install.py {known.parent}`, as `make test` does.")
    launch = json.loads(known.read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**{**launch, "env": {**os.environ, **launch["env"]}})
        yield browser
        browser.close()


@pytest.fixture
def web(browser: Browser, cloud: Any) -> Iterator[Page]:
    """A tab at the cloud's address, in which nothing may go wrong: no error on its console, no dialog, no way out."""
    context = browser.new_context(base_url=cloud.endpoint_url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))

    def refuse(dialog: Any) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", refuse)
    page.on("request", lambda request: wrong.append(request.url) if cloud.endpoint_url not in request.url else None)
    yield page
    context.close()
    assert wrong == []


class Releases:
    """Pipelines on one repository: a stack `Staging`, the approval `Approve / Ask`, a stack `Prod`."""

    def __init__(self, cloud: Any, folder: Path) -> None:
        self.cloud = cloud
        self.client = cloud.client("codepipeline")
        self.repository = f"source-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.role = self._role()
        cloud.client("codecommit").create_repository(repositoryName=self.repository)
        self._git("init", "--quiet", "--initial-branch=main")
        (folder / "template.yaml").write_text(TEMPLATE)
        self.push("Begin")

    def push(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        self._git("push", "--quiet", f"{self.cloud.endpoint_url}/git/{self.repository}", "HEAD:refs/heads/main")

    def pipeline(self, message: str = "Release #{Source.CommitMessage}") -> tuple[str, str]:
        """Make a pipeline, which starts; its name and the id of its execution."""
        source = {"RepositoryName": self.repository, "BranchName": "main", "PollForSourceChanges": "false"}
        name = f"release-{uuid.uuid4().hex[:8]}"
        stages = [
            self._stage("Source", "Source", "Source", "CodeCommit", source, namespace="Source"),
            self._stage("Staging", "Deploy", "Deploy", "CloudFormation", self._stack()),
            self._stage("Approve", "Ask", "Approval", "Manual", {"CustomData": message}),
            self._stage("Prod", "Deploy", "Deploy", "CloudFormation", self._stack()),
        ]
        stages[0]["actions"][0]["outputArtifacts"] = [{"name": "App"}]
        for stage in (stages[1], stages[3]):
            stage["actions"][0]["inputArtifacts"] = [{"name": "App"}]
        store = {"type": "S3", "location": self.cloud.new_bucket()}
        self.client.create_pipeline(
            pipeline={
                "name": name,
                "roleArn": self.role,
                "artifactStore": store,
                "stages": stages,
                "pipelineType": "V2",
                "executionMode": "SUPERSEDED",
            }
        )
        return name, self.executions(name)[0]["pipelineExecutionId"]

    def executions(self, name: str) -> list[dict[str, Any]]:
        return list(self.client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"])

    def start(self, name: str) -> str:
        return str(self.client.start_pipeline_execution(name=name)["pipelineExecutionId"])

    def asked(self, name: str) -> str:
        """The token of the approval once it is asked for."""

        def token() -> str:
            states = self.client.get_pipeline_state(name=name)["stageStates"][2]["actionStates"]
            return str(states[0].get("latestExecution", {}).get("token", ""))

        return str(eventually(token, "asked for approval"))

    def approve(self, name: str) -> None:
        result = {"status": "Approved", "summary": ""}
        self.client.put_approval_result(
            pipelineName=name, stageName="Approve", actionName="Ask", result=result, token=self.asked(name)
        )

    def ended(self, name: str, execution_id: str) -> str:
        """The status of an execution once it has ended."""

        def status() -> str:
            found = self.client.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution_id)
            status = str(found["pipelineExecution"]["status"])
            return "" if status in ("InProgress", "Stopping") else status

        return str(eventually(status, "ended"))

    def _git(self, *arguments: str) -> None:
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        command = ["git", *who, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def _role(self) -> str:
        iam, name = self.cloud.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(EVERYTHING))
        return str(role["Arn"])

    def _stack(self) -> dict[str, str]:
        return {
            "ActionMode": "CREATE_UPDATE",
            "StackName": f"stack-{uuid.uuid4().hex[:8]}",
            "TemplatePath": "App::template.yaml",
            "RoleArn": self.role,
        }

    def _stage(
        self, stage: str, action: str, category: str, provider: str, configuration: dict[str, str], **more: Any
    ) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {
            "name": stage,
            "actions": [{"name": action, "actionTypeId": kind, "configuration": configuration, **more}],
        }


def eventually(read: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """What `read` answers once that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := read():
            return found
        time.sleep(0.02)
    pytest.fail(f"not {what} after {seconds} s")


@pytest.fixture(scope="session")
def releases(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Releases in the shared cloud."""
    return Releases(cloud, tmp_path_factory.mktemp("releases"))
