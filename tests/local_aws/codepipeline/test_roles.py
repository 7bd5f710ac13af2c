"""On whose behalf actions act: the pipeline's role or their own, and what comes of it when that may too little."""

from __future__ import annotations

from typing import Any


def allowing(*actions: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def test_a_role_that_may_not_deploy_fails_the_action_with_what_it_lacks(pipelines: Any, declare: Any) -> None:
    limited = pipelines.new_role(allowing("s3:*", "codecommit:*"))
    name, execution = pipelines.create(declare.stage("Deploy", pipelines.deployment()), roleArn=limited)
    assert pipelines.ended(name, execution)["status"] == "Failed"
    details = pipelines.latest(name, "Deploy", "Deploy")["errorDetails"]
    assert details["code"] == "PermissionError"
    assert "is not authorized to perform: cloudformation:DescribeStacks" in details["message"]


def test_a_role_that_may_not_start_builds_starts_none(pipelines: Any, declare: Any) -> None:
    limited = pipelines.new_role(allowing("s3:*", "codecommit:*"))
    project = pipelines.project()
    name, execution = pipelines.create(declare.stage("Build", pipelines.build(project)), roleArn=limited)
    assert "codebuild:StartBuild" in pipelines.ended(name, execution)["statusSummary"]
    assert pipelines.cloud.client("codebuild").list_builds_for_project(projectName=project)["ids"] == []


def test_an_action_acts_as_its_own_role_where_the_pipelines_may_assume_it(pipelines: Any, declare: Any) -> None:
    limited = pipelines.new_role(allowing("s3:*", "codecommit:*", "sts:AssumeRole"))
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": limited}, "Action": "sts:AssumeRole"}],
    }
    deploys = pipelines.new_role(allowing("*"), trust)
    deploy = pipelines.deployment(roleArn=deploys)
    name, execution = pipelines.create(declare.stage("Deploy", deploy), roleArn=limited)
    ended = pipelines.ended(name, execution)
    assert ended["status"] == "Succeeded", ended.get("statusSummary")
    stranger = pipelines.new_role(allowing("*"))
    name, execution = pipelines.create(declare.stage("Deploy", pipelines.deployment(roleArn=stranger)), roleArn=limited)
    pipelines.ended(name, execution)
    details = pipelines.latest(name, "Deploy", "Deploy")["errorDetails"]
    assert details["code"] == "PermissionError"
    assert f"sts:AssumeRole on resource: {stranger}" in details["message"]
