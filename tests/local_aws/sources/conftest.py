"""Working copies to push from, and pipelines that take what is pushed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["codepipeline.amazonaws.com", "events.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class WorkingCopy:
    """A repository of a developer, whose own configuration of git is empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada Lovelace",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada Lovelace",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_TERMINAL_PROMPT": "0",
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message: str = "change", **files: str) -> str:
        """Commit files (`a_txt="..."` is a.txt, `dir__a_txt` is dir/a.txt); the commit's id."""
        for name, text in files.items():
            path = self.folder / ".".join(name.replace("__", "/").rsplit("_", 1))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, url: str, *references: str) -> str:
        """Push, and what the remote said, a line each, without git's own words."""
        done = self.run("push", url, *(references or ("HEAD:refs/heads/main",)))
        assert done.returncode == 0, done.stderr
        lines = (line for line in done.stderr.splitlines() if line.startswith("remote: "))
        return "\n".join(line.removeprefix("remote: ").rstrip() for line in lines)


@pytest.fixture
def working_copy(tmp_path: Path) -> Callable[[], WorkingCopy]:
    """Make working copies: `working_copy()`."""
    return lambda: WorkingCopy(tmp_path / f"work-{uuid.uuid4().hex[:6]}")


@pytest.fixture
def work(working_copy: Callable[[], WorkingCopy]) -> WorkingCopy:
    """One working copy."""
    return working_copy()


class Sources:
    """Repositories, connections and pipelines of one cloud, all under new names."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.pipelines = cloud.client("codepipeline")
        self.connections = cloud.client("codeconnections")
        self.codecommit = cloud.client("codecommit")
        self.bucket = cloud.new_bucket()
        self.role = self.new_role(EVERYTHING)

    def url(self, repository: str) -> str:
        return f"{self.cloud.endpoint_url}/git/{repository}"

    def repository(self) -> str:
        """The name of a repository at a provider, which is there once it is pushed to."""
        return f"team/repo-{uuid.uuid4().hex[:8]}"

    def codecommit_repository(self) -> str:
        name = f"repo-{uuid.uuid4().hex[:8]}"
        self.codecommit.create_repository(repositoryName=name)
        return name

    def connection(self, finished: bool = True) -> str:
        name = f"connection-{uuid.uuid4().hex[:8]}"
        arn = str(self.connections.create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"])
        if finished:
            self.finish(arn).raise_for_status()
        return arn

    def finish(self, arn: str, **headers: str) -> requests.Response:
        url = f"{self.cloud.endpoint_url}/_local/connections/{arn.rpartition('/')[2]}/finish"
        return requests.post(url, headers=headers, timeout=30, allow_redirects=False)

    def new_role(self, policy: dict[str, Any], trust: dict[str, Any] | None = None) -> str:
        iam, name = self.cloud.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))["Role"]
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(role["Arn"])

    def on_connection(self, repository: str, *push: Any, connection: str = "", **more: Any) -> str:
        """A pipeline on a repository at a provider, with filters of its trigger; its name."""
        configuration = {
            "ConnectionArn": connection or self.connection(),
            "FullRepositoryId": repository,
            "BranchName": "main",
            **more.pop("configuration", {}),
        }
        trigger = {
            "providerType": "CodeStarSourceConnection",
            "gitConfiguration": {"sourceActionName": "Take", "push": list(push)},
        }
        triggers = more.pop("triggers", [trigger] if push else [])
        return self.pipeline("CodeStarSourceConnection", configuration, triggers=triggers, **more)

    def on_codecommit(self, repository: str, polls: bool = False, **more: Any) -> str:
        """A pipeline on a CodeCommit repository; its name."""
        configuration = {
            "RepositoryName": repository,
            "BranchName": "main",
            "PollForSourceChanges": str(polls).lower(),
            **more.pop("configuration", {}),
        }
        return self.pipeline("CodeCommit", configuration, **more)

    def pipeline(self, provider: str, configuration: dict[str, str], **more: Any) -> str:
        """A pipeline of a source and an approval that nobody gives, once its first execution has taken its source."""
        name = f"pipeline-{uuid.uuid4().hex[:8]}"
        source = {
            "name": "Take",
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": provider, "version": "1"},
            "configuration": configuration,
            "outputArtifacts": [{"name": "Code"}],
            "namespace": "Code",
        }
        asking = {
            "name": "Ask",
            "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
            "configuration": {"CustomData": more.pop("asked", "go on?")},
        }
        declaration = {
            "name": name,
            "roleArn": more.pop("role", self.role),
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {"type": "S3", "location": self.bucket},
            "stages": [{"name": "Source", "actions": [source]}, {"name": "Approve", "actions": [asking]}],
            **more,
        }
        self.pipelines.create_pipeline(pipeline=declaration)
        self.taken(self.executions(name)[0])
        return name

    def executions(self, pipeline: str) -> list[tuple[str, str]]:
        """Pipeline and id of its executions, oldest first; the first is that of its creation."""
        rows = self.pipelines.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
        return [(pipeline, row["pipelineExecutionId"]) for row in reversed(rows)]

    def started_by_pushes(self, pipeline: str) -> list[tuple[str, str]]:
        """The executions after that of the pipeline's creation."""
        return self.executions(pipeline)[1:]

    def execution(self, execution: tuple[str, str]) -> dict[str, Any]:
        pipeline, execution_id = execution
        answer = self.pipelines.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)
        return dict(answer["pipelineExecution"])

    def taken(self, execution: tuple[str, str]) -> dict[str, Any]:
        """The source action of an execution, once it has ended."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            rows = self.pipelines.list_action_executions(
                pipelineName=execution[0], filter={"pipelineExecutionId": execution[1]}
            )["actionExecutionDetails"]
            ended = [row for row in rows if row["actionName"] == "Take" and row["status"] != "InProgress"]
            if ended:
                return dict(ended[0])
            time.sleep(0.03)
        pytest.fail(f"the source of {execution} was never taken")

    def why(self, execution: tuple[str, str]) -> str:
        """Why the source action of an execution failed."""
        action = self.taken(execution)
        assert action["status"] == "Failed", action
        return str(action["output"]["executionResult"]["errorDetails"]["message"])

    def artifact(self, execution: tuple[str, str]) -> bytes:
        """What the source action put out."""
        location = self.taken(execution)["output"]["outputArtifacts"][0]["s3location"]
        answer = self.cloud.client("s3").get_object(Bucket=location["bucket"], Key=location["key"])
        return bytes(answer["Body"].read())

    def zip(self, execution: tuple[str, str]) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self.artifact(execution)))

    def variables(self, execution: tuple[str, str]) -> dict[str, str]:
        return dict(self.taken(execution)["output"]["outputVariables"])


@pytest.fixture
def sources(cloud: Any) -> Sources:
    """Repositories, connections and pipelines of the shared cloud."""
    return Sources(cloud)


@pytest.fixture
def sources_of() -> type[Sources]:
    """The same of a cloud of the test's own: `sources_of(cloud)`."""
    return Sources
