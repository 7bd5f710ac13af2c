"""Rolling a stage back to the last execution that succeeded in it: by itself on failure, or when asked."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def note(pipelines: Any, stack: str) -> str:
    outputs = pipelines.cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return str(next(row["OutputValue"] for row in outputs if row["OutputKey"] == "Text"))


def released(pipelines: Any, declare: Any) -> tuple[Any, str]:
    """A stage that deploys the commit's id as text, and then asks; the stack's name."""
    deploy = pipelines.deployment(settings={"ParameterOverrides": '{"Text": "#{Source.CommitId}"}'})
    stage = declare.stage("Prod", deploy, declare.approval(runOrder=2), onFailure={"result": "ROLLBACK"})
    return stage, deploy["configuration"]["StackName"]


def test_a_stage_that_fails_returns_to_what_last_succeeded_in_it(pipelines: Any, declare: Any) -> None:
    stage, stack = released(pipelines, declare)
    name, first = pipelines.create(stage)
    pipelines.answer(name, "Prod", pipelines.asked(name, "Prod", first))
    good = pipelines.ended(name, first)["artifactRevisions"][0]["revisionId"]
    assert note(pipelines, stack) == good
    bad = pipelines.push("Break it")
    second = pipelines.start(name)
    token = pipelines.asked(name, "Prod", second)
    assert note(pipelines, stack) == bad
    pipelines.answer(name, "Prod", token, "Rejected", "the smoke test fails")
    assert pipelines.ended(name, second)["status"] == "Failed"
    rollback = pipelines.executions(name)[0]
    assert rollback["executionType"] == "ROLLBACK"
    assert rollback["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": second}
    assert rollback["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    pipelines.answer(name, "Prod", pipelines.asked(name, "Prod", rollback["pipelineExecutionId"]))
    ended = pipelines.ended(name, rollback["pipelineExecutionId"])
    assert ended["status"] == "Succeeded"
    assert ended["artifactRevisions"][0]["revisionId"] == good
    assert note(pipelines, stack) == good
    assert set(pipelines.actions(name, rollback["pipelineExecutionId"])) == {"Deploy", "Ask"}
    listed = pipelines.client.list_pipeline_executions(
        pipelineName=name, filter={"succeededInStage": {"stageName": "Prod"}}
    )["pipelineExecutionSummaries"]
    assert [row["pipelineExecutionId"] for row in listed] == [rollback["pipelineExecutionId"], first]


def test_a_first_failure_has_nothing_to_return_to(pipelines: Any, declare: Any) -> None:
    stage, _ = released(pipelines, declare)
    name, execution = pipelines.create(stage)
    pipelines.answer(name, "Prod", pipelines.asked(name, "Prod"), "Rejected", "no")
    assert pipelines.ended(name, execution)["status"] == "Failed"
    assert len(pipelines.executions(name)) == 1


def test_a_stage_is_rolled_back_when_asked(pipelines: Any, declare: Any) -> None:
    stage, stack = released(pipelines, declare)
    name, first = pipelines.create(stage)
    pipelines.answer(name, "Prod", pipelines.asked(name, "Prod", first))
    good = pipelines.ended(name, first)["artifactRevisions"][0]["revisionId"]
    pipelines.push("Go on")
    second = pipelines.start(name)
    token = pipelines.asked(name, "Prod", second)

    def roll_back(target: str, where: str = "Prod") -> str:
        return str(
            pipelines.client.rollback_stage(pipelineName=name, stageName=where, targetPipelineExecutionId=target)[
                "pipelineExecutionId"
            ]
        )

    with pytest.raises(ClientError, match="currently running"):
        roll_back(first)
    pipelines.answer(name, "Prod", token)
    pipelines.ended(name, second)
    with pytest.raises(ClientError, match="source stage"):
        roll_back(first, "Source")
    rollback = roll_back(first)
    pipelines.answer(name, "Prod", pipelines.asked(name, "Prod", rollback))
    assert pipelines.ended(name, rollback)["trigger"]["triggerType"] == "ManualRollback"
    assert note(pipelines, stack) == good
    with pytest.raises(ClientError, match="rollback itself"):
        roll_back(rollback)
