"""Returning a stage to an earlier execution that succeeded in it: an execution of type ROLLBACK, of that stage alone.

It takes that execution's artifacts, source revisions and variables:
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
"""

from __future__ import annotations

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, execution_record, gate
from local_aws.codepipeline.declaration import PARALLEL, Pipeline, Stage
from local_aws.codepipeline.execution_record import ROLLBACK, SUCCEEDED
from local_aws.codepipeline.new_execution import new_row
from local_aws.errors import AwsError
from local_aws.store import Body

AUTOMATED, MANUAL = "AutomatedRollback", "ManualRollback"


def after_failure(cloud: Cloud, pipeline: Pipeline, stage: Stage, failed: Body) -> str | None:
    """Enter the rollback of a stage that has just failed, if its stage asks for one; the new execution's id.

    None where there is no earlier success to return to, or it was a rollback that failed. The stage must be locked.
    """
    if stage.on_failure != "ROLLBACK" or failed["executionType"] == ROLLBACK:
        return None
    version = definitions.find(cloud, pipeline.name)["pipeline"]["version"]
    if version != pipeline.version:
        return None
    targets = [
        body
        for body in execution_record.of_pipeline(cloud, pipeline.name)
        if body["pipelineVersion"] == version and _has_succeeded(body, stage)
    ]
    if not targets:
        return None
    target = max(targets, key=lambda body: body["_stages"][stage.name]["started"])
    return _enter(cloud, stage, target, AUTOMATED, failed["pipelineExecutionId"])


def roll_back(cloud: Cloud, pipeline: str, stage_name: str, target_id: str, who: str) -> str:
    """Enter a rollback that somebody asked for; the new execution's id.

    Raises `AwsError` (StageNotFoundException, PipelineExecutionNotFoundException,
    PipelineExecutionOutdatedException, UnableToRollbackStageException).
    """
    with cloud.store.transaction():
        declared = definitions.newest(cloud, pipeline)
        stage = definitions.stage_of(cloud, pipeline, stage_name)
        target = execution_record.find(cloud, pipeline, target_id)
        if target["pipelineVersion"] != declared.version:
            raise AwsError(
                "PipelineExecutionOutdatedException",
                f"Execution {target_id} was started with version {target['pipelineVersion']} of the pipeline, which is "
                f"at version {declared.version} now",
            )
        refusal = _refusal(cloud, declared, stage, target)
        if refusal:
            raise AwsError("UnableToRollbackStageException", f"Stage {stage_name} cannot be rolled back: {refusal}")
        return _enter(cloud, stage, target, MANUAL, who)


def _refusal(cloud: Cloud, pipeline: Pipeline, stage: Stage, target: Body) -> str | None:
    if pipeline.execution_mode == PARALLEL:
        return "stage rollback is not available in PARALLEL mode"
    if stage == pipeline.stages[0]:
        return "it is the source stage"
    if not _has_succeeded(target, stage):
        return f"execution {target['pipelineExecutionId']} did not succeed in it, or was a rollback itself"
    if gate.is_occupied(execution_record.active_of(cloud, pipeline.name), stage.name):
        return "it is currently running"
    return None


def _has_succeeded(body: Body, stage: Stage) -> bool:
    """Whether an execution can be returned to: rollbacks themselves cannot."""
    return body["executionType"] != ROLLBACK and body["_stages"].get(stage.name, {}).get("status") == SUCCEEDED


def _enter(cloud: Cloud, stage: Stage, target: Body, trigger: str, detail: str) -> str:
    row = new_row(target["pipelineName"], target["pipelineVersion"], target["executionMode"], trigger, detail)
    copied = ("artifactRevisions", "variables", "_artifacts", "_namespaces", "_revisions", "_source_revisions")
    row = {
        **row,
        **{name: target[name] for name in copied},
        "executionType": ROLLBACK,
        "rollbackMetadata": {"rollbackTargetPipelineExecutionId": target["pipelineExecutionId"]},
        "_only": True,
    }
    return execution_record.enter(cloud, gate.enter(row, stage.name))
