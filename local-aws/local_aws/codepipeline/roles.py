"""On whose behalf an action acts: the pipeline's role, or the action's own, which the pipeline's has to assume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from local_aws.cloud import Cloud
from local_aws.iam import sessions
from local_aws.principal import Principal, acting_as

SERVICE = "codepipeline.amazonaws.com"


@contextmanager
def acting_for(cloud: Cloud, pipeline_role: str, action_role: str | None, execution_id: str) -> Iterator[None]:
    """Have this thread act as the role of an action; raises `AwsError` (AccessDenied) where it may not."""
    with acting_as(sessions.principal(cloud, pipeline_role, execution_id, SERVICE)):
        if action_role is None:
            yield
            return
        cloud.call("sts", "AssumeRole", {"RoleArn": action_role, "RoleSessionName": execution_id})
        with acting_as(Principal(action_role, execution_id)):
            yield
