"""Pipelines to try: a repository with a template as their source, approvals to hold them, small stacks to deploy."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {
                "Service": [f"{name}.amazonaws.com" for name in ("codepipeline", "codebuild", "cloudformation")]
            },
            "Action": "sts:AssumeRole",
        }
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TEMPLATE = """
Parameters:
  Text: {Type: String, Default: nothing}
Resources:
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Text}
Outputs:
  Text: {Value: !Ref Text}
  Note: {Value: !Ref Note}
"""
BROKEN = TEMPLATE.replace(
    "Outputs:",
    "  Bucket:\n    Type: AWS::S3::Bucket\n    DependsOn: Note\n    Properties: {BucketName: Not_A_Name}\nOutputs:",
)
BUILDSPEC = """
version: 0.2
env:
  exported-variables: [PLAN]
phases:
  build:
    commands:
      - test -f template.yaml
      - export PLAN="{plan}"
      - mkdir -p release && echo "$PLAN" > release/plan.txt && cp template.yaml release/
      - {command}
artifacts:
  base-directory: release
  files: ["**/*"]
"""
FILES = {
    "template.yaml": TEMPLATE,
    "broken.yaml": BROKEN,
    "configuration.json": json.dumps({"Parameters": {"Text": "configured"}, "Tags": {"team": "ml"}}),
    "values.json": json.dumps({"text": "looked up"}),
}
OPEN = ("InProgress", "Stopping")


def action(name: str, category: str, provider: str, configuration: dict[str, str] | None = None, **more: Any) -> Any:
    """An action of a declaration; `inputs` and `outputs` are names of artifacts."""
    made = {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration or {},
        "inputArtifacts": [{"name": item} for item in more.pop("inputs", ())],
        "outputArtifacts": [{"name": item} for item in more.pop("outputs", ())],
    }
    return {**made, **more}


def approval(name: str = "Ask", **more: Any) -> Any:
    """An approval, which holds its stage until the test answers."""
    return action(name, "Approval", "Manual", **more)


def stage(name: str, *actions: Any, **more: Any) -> Any:
    return {"name": name, "actions": list(actions), **more}


def until(read: Any, good: Any, seconds: float, what: str) -> Any:
    """What `read` answers once that is `good`."""
    deadline = time.monotonic() + seconds
    while True:
        found = read()
        if good(found):
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not {what} after {seconds} s: {found}")
        time.sleep(0.01)


class Pipelines:
    """Pipelines of one cloud, all on one repository; every name is new."""

    until = staticmethod(until)

    def __init__(self, cloud: Any, folder: Path) -> None:
        self.cloud = cloud
        self.client = cloud.client("codepipeline")
        self.bucket = cloud.new_bucket()
        self.role = self.new_role(EVERYTHING)
        self.repository = f"source-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        cloud.client("codecommit").create_repository(repositoryName=self.repository)
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for name, text in FILES.items():
            (folder / name).write_text(text)
        self.commit = self.push("Begin")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True, timeout=60
        ).stdout.strip()

    def push(self, message: str) -> str:
        """Commit what is in the folder and push it; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", f"{self.cloud.endpoint_url}/git/{self.repository}", "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")

    def new_role(self, policy: dict[str, Any], trust: dict[str, Any] | None = None) -> str:
        iam, name = self.cloud.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))["Role"]
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(role["Arn"])

    def source(self, **more: Any) -> Any:
        """The stage that takes the repository as artifact App, in the namespace Source."""
        configuration = {"RepositoryName": self.repository, "BranchName": "main", "PollForSourceChanges": "false"}
        return stage(
            "Source",
            action("Source", "Source", "CodeCommit", configuration, outputs=["App"], namespace="Source", **more),
        )

    def deployment(self, name: str = "Deploy", **more: Any) -> Any:
        """A deployment of template.yaml; `settings` add to its configuration."""
        configuration = {
            "ActionMode": "CREATE_UPDATE",
            "StackName": f"stack-{uuid.uuid4().hex[:8]}",
            "TemplatePath": "App::template.yaml",
            "RoleArn": self.role,
            **more.pop("settings", {}),
        }
        return action(name, "Deploy", "CloudFormation", configuration, **{"inputs": ["App"], **more})

    def project(self, command: str = "true", plan: str = "plan of $KIND") -> str:
        """A project whose build exports PLAN and puts out release/; its name."""
        name = f"project-{uuid.uuid4().hex[:8]}"
        self.cloud.client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": BUILDSPEC.format(command=command, plan=plan)},
            artifacts={"type": "CODEPIPELINE"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=self.role,
        )
        return name

    def build(self, project: str, **more: Any) -> Any:
        """A build of App that makes Release, in the namespace Build; `settings` add to its configuration."""
        configuration = {"ProjectName": project, **more.pop("settings", {})}
        return action(
            "Build", "Build", "CodeBuild", configuration, inputs=["App"], outputs=["Release"], namespace="Build", **more
        )

    def built(self, name: str) -> str:
        """The id of the build in stage Build, once it has begun."""
        latest = until(
            lambda: self.latest(name, "Build", "Build"), lambda found: "externalExecutionId" in found, 20, "building"
        )
        return str(latest["externalExecutionId"])

    def declaration(self, *stages: Any, **more: Any) -> dict[str, Any]:
        return {
            "name": f"pipeline-{uuid.uuid4().hex[:8]}",
            "roleArn": self.role,
            "artifactStore": {"type": "S3", "location": self.bucket},
            "stages": list(stages),
            "pipelineType": "V2",
            **more,
        }

    def create(self, *stages: Any, **more: Any) -> tuple[str, str]:
        """Make a pipeline of these stages after its source; its name and the id of the execution it starts with."""
        name = self.client.create_pipeline(pipeline=self.declaration(self.source(), *stages, **more))["pipeline"][
            "name"
        ]
        return name, self.executions(name)[0]["pipelineExecutionId"]

    def start(self, name: str, **more: Any) -> str:
        return str(self.client.start_pipeline_execution(name=name, **more)["pipelineExecutionId"])

    def executions(self, name: str) -> list[dict[str, Any]]:
        """What is listed of a pipeline's executions, newest first."""
        return list(self.client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"])

    def execution(self, name: str, execution_id: str) -> dict[str, Any]:
        return dict(
            self.client.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution_id)["pipelineExecution"]
        )

    def ended(self, name: str, execution_id: str, seconds: float = 30) -> dict[str, Any]:
        """An execution once it has ended."""
        return dict(
            until(
                lambda: self.execution(name, execution_id), lambda found: found["status"] not in OPEN, seconds, "ended"
            )
        )

    def stages(self, name: str) -> dict[str, dict[str, Any]]:
        return {state["stageName"]: state for state in self.client.get_pipeline_state(name=name)["stageStates"]}

    def latest(self, name: str, stage_name: str, action_name: str) -> dict[str, Any]:
        """`latestExecution` of an action, or nothing."""
        states = self.stages(name)[stage_name]["actionStates"]
        return dict(next(state for state in states if state["actionName"] == action_name).get("latestExecution", {}))

    def asked(self, name: str, stage_name: str, execution_id: str | None = None, action_name: str = "Ask") -> str:
        """The token of an approval, once it is asked for (in an execution)."""

        def waits() -> str:
            asking = self.latest(name, stage_name, action_name)
            if execution_id:
                # A stage may show the newer execution while its action still shows that of the older.
                only = {"pipelineExecutionId": execution_id}
                runs = self.client.list_action_executions(pipelineName=name, filter=only)["actionExecutionDetails"]
                if asking.get("actionExecutionId") not in [run["actionExecutionId"] for run in runs]:
                    return ""
            return str(asking.get("token", ""))

        return str(until(waits, bool, 20, f"asked in {stage_name}"))

    def answer(
        self,
        name: str,
        stage_name: str,
        token: str,
        status: str = "Approved",
        summary: str = "",
        action_name: str = "Ask",
    ) -> dict[str, Any]:
        return dict(
            self.client.put_approval_result(
                pipelineName=name,
                stageName=stage_name,
                actionName=action_name,
                result={"status": status, "summary": summary},
                token=token,
            )
        )

    def waits(self, name: str, stage_name: str, execution_id: str) -> None:
        """Return once an execution waits before a stage."""
        until(
            lambda: [
                inbound["pipelineExecutionId"] for inbound in self.stages(name)[stage_name].get("inboundExecutions", [])
            ],
            lambda found: execution_id in found,
            20,
            f"waiting before {stage_name}",
        )

    def actions(self, name: str, execution_id: str) -> dict[str, dict[str, Any]]:
        """The details of an execution's actions by name; of one that ran again, the latest."""
        details = self.client.list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution_id})[
            "actionExecutionDetails"
        ]
        return {detail["actionName"]: detail for detail in reversed(details)}


@pytest.fixture(scope="session")
def pipelines(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    """Pipelines of the shared cloud."""
    return Pipelines(cloud, tmp_path_factory.mktemp("pipelines-source"))


@pytest.fixture
def pipelines_of(tmp_path: Path) -> Any:
    """Pipelines of a cloud of the test's own: `pipelines_of(cloud)`."""
    return lambda cloud: Pipelines(cloud, tmp_path / "pipelines-source")


@pytest.fixture
def declare() -> Any:
    """How declarations are written: `declare.stage(...)`, `declare.action(...)`, `declare.approval(...)`."""

    class Declare:
        stage = staticmethod(stage)
        action = staticmethod(action)
        approval = staticmethod(approval)

    return Declare
