"""The row of an execution that has just begun."""

from __future__ import annotations

import uuid

from local_aws.codepipeline.execution_record import IN_PROGRESS, STANDARD
from local_aws.store import Body, now

_LONGEST_DETAIL = 1024


def new_row(pipeline: str, version: int, mode: str, trigger: str, detail: str) -> Body:
    """An execution with a new id that is nowhere yet."""
    at = now()
    return {
        "pipelineName": pipeline,
        "pipelineVersion": version,
        "pipelineExecutionId": str(uuid.uuid4()),
        "status": IN_PROGRESS,
        "artifactRevisions": [],
        "variables": [],
        "trigger": {"triggerType": trigger, "triggerDetail": detail[:_LONGEST_DETAIL]},
        "executionMode": mode,
        "executionType": STANDARD,
        "_started": at,
        "_updated": at,
        "_arrived": at,
        "_position": None,
        "_inside": False,
        "_only": False,
        "_attempt": 1,
        "_stages": {},
        "_actions": {},
        "_artifacts": {},
        "_namespaces": {},
        "_revisions": {},
        "_source_revisions": {},
    }
