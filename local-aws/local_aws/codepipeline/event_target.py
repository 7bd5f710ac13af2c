"""Pipelines as targets of EventBridge rules, which is how CodeCommit's changes start them.

https://docs.aws.amazon.com/codepipeline/latest/userguide/triggering.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_aws.codepipeline import executions
from local_aws.events.delivery import NotDelivered, target
from local_aws.events.rules import Target
from local_aws.iam import authorization, sessions
from local_aws.principal import acting_as

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


@target("codepipeline")
def start(cloud: Cloud, to: Target, text: str) -> str:
    """Start the pipeline as the target's role, which has to trust EventBridge; the execution's id.

    The input may name variables and source revisions, as an input transformer makes them of an event:
    https://docs.aws.amazon.com/codepipeline/latest/userguide/tutorials-eventbridge-override.html
    """
    if to.role_arn is None:
        raise NotDelivered("a target that is a pipeline needs a RoleArn that may start it")
    principal = sessions.principal(cloud, to.role_arn, "events", "events.amazonaws.com")
    with acting_as(principal):
        authorization.require(cloud, "codepipeline:StartPipelineExecution", to.arn)
    given = _given(text)
    variables = {row["name"]: row["value"] for row in given.get("variables", [])}
    revisions = {row["actionName"]: row["revisionValue"] for row in given.get("sourceRevisions", [])}
    pipeline = to.arn.rpartition(":")[2]
    return executions.start(cloud, pipeline, "CloudWatchEvent", to.rule_arn, variables, revisions)


def _given(text: str) -> dict[str, Any]:
    """The overrides in an input, or none where it is the event itself or a text."""
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    return given if isinstance(given, dict) and "detail-type" not in given else {}
