"""Approval by a person: tells a topic what is asked, and waits for PutApprovalResult.

https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from local_aws.codepipeline import execution_record
from local_aws.codepipeline.actions.protocol import ActionFailed, ActionResult, ActionRun, provider
from local_aws.store import Body


@provider("Approval", "Manual")
def ask(run: ActionRun) -> ActionResult:
    """Wait for the decision; raises `ActionFailed` with the reviewer's words where it is to reject.

    After a restart of local-aws the same request goes on waiting: its token holds, and nobody is told a second time.
    """
    record = _record(run, run.cloud.store.get(execution_record.KIND, run.execution_id))
    if "_token" not in record:
        token = str(uuid.uuid4())
        if topic := run.configuration.get("NotificationArn"):
            _notify(run, topic, token, record)
        run.report(token=token)
    body = run.cloud.store.wait(
        execution_record.KIND,
        run.execution_id,
        lambda body: run.stopping.is_set() or "_decision" in _record(run, body),
    )
    decision = _record(run, body).get("_decision")
    if decision is None:
        raise ActionFailed("The approval is not waited for any more.")
    if decision["status"] == "Rejected":
        run.report(summary=decision["summary"])
        words = f": {decision['summary']}" if decision["summary"] else " without a comment"
        raise ActionFailed(f"Rejected by {decision['by']}{words}")
    return ActionResult(summary=decision["summary"])


def _record(run: ActionRun, body: Body) -> Body:
    found: Body = body["_actions"][run.action_execution_id]
    return found


def _notify(run: ActionRun, topic: str, token: str, record: Body) -> None:
    """Publish the request: https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals-json-format.html"""
    page = f"{run.cloud.settings.endpoint_url}/_local/pipelines/{run.pipeline}"
    expires = record["startTime"] + timedelta(minutes=record["_minutes"])
    approval: dict[str, Any] = {
        "pipelineName": run.pipeline,
        "stageName": run.stage,
        "actionName": run.action,
        "token": token,
        "expires": f"{expires:%Y-%m-%dT%H:%MZ}",
        "externalEntityLink": run.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": page,
        "customData": run.configuration.get("CustomData"),
    }
    message = {
        "region": run.cloud.settings.region,
        "consoleLink": page,
        "approval": {name: value for name, value in approval.items() if value is not None},
    }
    subject = f"APPROVAL NEEDED: AWS CodePipeline {run.pipeline} for action {run.action}"
    run.cloud.client("sns").publish(TopicArn=topic, Subject=subject[:99], Message=json.dumps(message))
