"""The answer of a person to an approval that waits: by the token that GetPipelineState shows, and only once.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, execution_record, tags
from local_aws.errors import AwsError
from local_aws.operations import CODEPIPELINE
from local_aws.store import Body, now


@CODEPIPELINE.operation("PutApprovalResult")
def put_approval_result(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Approve, or reject with words that the stage fails with."""
    name = request["pipelineName"]
    stage = definitions.stage_of(cloud, name, request["stageName"])
    action = next((action for action in stage.actions if action.name == request["actionName"]), None)
    if action is None or action.type.category != "Approval":
        raise AwsError(
            "ActionNotFoundException",
            f"Stage '{stage.name}' of pipeline '{name}' has no approval action '{request['actionName']}'",
        )
    at = now()
    decision = {
        "status": request["result"]["status"],
        "summary": request["result"]["summary"],
        "by": tags.caller(cloud),
        "at": at,
    }
    with cloud.store.transaction():
        execution, record = _asked(cloud, name, stage.name, action.name, request["token"])
        if record["status"] != execution_record.IN_PROGRESS or "_decision" in record:
            raise AwsError(
                "ApprovalAlreadyCompletedException",
                f"The approval '{action.name}' of execution {execution['pipelineExecutionId']} is over: it is "
                f"{record.get('_decision', record)['status']}",
            )

        def decide(found: Body) -> Body:
            return {**found, "_decision": decision, "updatedBy": decision["by"]}

        execution_record.change_action(cloud, execution["pipelineExecutionId"], record["actionExecutionId"], decide)
    return {"approvedAt": at}


def _asked(cloud: Cloud, pipeline: str, stage: str, action: str, token: str) -> tuple[Body, Body]:
    """The execution and the record of the run of an approval that has this token; raises `AwsError`."""
    for execution in (
        *execution_record.active_of(cloud, pipeline),
        *reversed(execution_record.of_pipeline(cloud, pipeline)),
    ):
        for record in execution["_actions"].values():
            if record.get("_token") == token and (record["stageName"], record["actionName"]) == (stage, action):
                return execution, record
    raise AwsError(
        "InvalidApprovalTokenException",
        f"The token '{token}' is of no approval of action '{action}' in stage '{stage}': GetPipelineState shows that "
        "of an approval that waits",
    )
