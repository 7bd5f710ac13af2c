"""Builds in a pipeline: what they get from it, what it gets from them, and what their failures say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_build_that_fails_tells_its_phase_why_and_what_it_printed_last(pipelines: Any, declare: Any) -> None:
    command = "echo 'recall 0.3 is below 0.5' && (exit 3)"
    # Whoever reads the pipeline is told, also where its role may not read logs.
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    no_logs = {"Effect": "Deny", "Action": "logs:*", "Resource": "*"}
    role = pipelines.new_role({"Version": "2012-10-17", "Statement": [everything, no_logs]})
    build = declare.stage("Build", pipelines.build(pipelines.project(command)))
    name, execution = pipelines.create(build, roleArn=role)
    ended = pipelines.ended(name, execution)
    assert ended["status"] == "Failed"
    latest = pipelines.latest(name, "Build", "Build")
    message = latest["errorDetails"]["message"]
    assert "in phase BUILD: " in message
    assert "exit status 3" in message
    assert message.endswith("The last it printed:\nrecall 0.3 is below 0.5")
    assert latest["externalExecutionUrl"].endswith(latest["externalExecutionId"])
    assert ended["statusSummary"].startswith("Stage Build failed at action Build: recall 0.3 is below 0.5 (Build ")
    assert "\n" not in ended["statusSummary"]


def test_a_build_gives_on_its_variables_and_its_files(pipelines: Any, declare: Any) -> None:
    variables = json.dumps([{"name": "KIND", "value": "#{Source.BranchName}", "type": "PLAINTEXT"}])
    deploy = pipelines.deployment(
        inputs=["Release"],
        settings={"TemplatePath": "Release::template.yaml", "ParameterOverrides": '{"Text": "#{Build.PLAN}"}'},
    )
    name, execution = pipelines.create(
        declare.stage("Build", pipelines.build(pipelines.project(), settings={"EnvironmentVariables": variables})),
        declare.stage("Deploy", deploy),
    )
    ended = pipelines.ended(name, execution)
    assert ended["status"] == "Succeeded", ended.get("statusSummary")
    told = pipelines.actions(name, execution)
    assert told["Build"]["output"]["outputVariables"]["PLAN"] == "plan of main"
    assert json.loads(told["Deploy"]["input"]["resolvedConfiguration"]["ParameterOverrides"]) == {
        "Text": "plan of main"
    }
    (running,) = pipelines.cloud.client("codebuild").batch_get_builds(
        ids=[told["Build"]["output"]["executionResult"]["externalExecutionId"]]
    )["builds"]
    assert running["initiator"] == f"codepipeline/{name}"
    assert running["resolvedSourceVersion"] == ended["artifactRevisions"][0]["revisionId"]


def test_a_build_goes_on_by_itself_when_its_execution_is_abandoned(
    pipelines: Any, declare: Any, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    command = f"while [ ! -e '{go_on}' ]; do sleep 0.1; done"
    name, execution = pipelines.create(declare.stage("Build", pipelines.build(pipelines.project(command))))
    build_id = pipelines.built(name)
    pipelines.client.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True)
    assert pipelines.ended(name, execution)["status"] == "Stopped"
    go_on.touch()
    client = pipelines.cloud.client("codebuild")
    status = pipelines.until(
        lambda: client.batch_get_builds(ids=[build_id])["builds"][0]["buildStatus"],
        lambda found: found != "IN_PROGRESS",
        30,
        "ended",
    )
    assert status == "SUCCEEDED"
    assert pipelines.latest(name, "Build", "Build")["status"] == "Abandoned"


def test_what_a_build_is_given_must_be_readable(pipelines: Any, declare: Any) -> None:
    for given, told in (
        ("[", "is no JSON"),
        ('[{"name": "A", "value": "b", "type": "SECRET"}]', "the type 'SECRET'"),
        ('[{"name": "A", "value": 1}]', "a value that is text"),
    ):
        name, execution = pipelines.create(
            declare.stage("Build", pipelines.build(pipelines.project(), settings={"EnvironmentVariables": given}))
        )
        pipelines.ended(name, execution)
        details = pipelines.latest(name, "Build", "Build")["errorDetails"]
        assert details["code"] == "ConfigurationError"
        assert told in details["message"]


def test_a_project_that_there_is_none_of_fails_the_action(pipelines: Any, declare: Any) -> None:
    name, execution = pipelines.create(declare.stage("Build", pipelines.build("nowhere")))
    assert "nowhere" in pipelines.ended(name, execution)["statusSummary"]
