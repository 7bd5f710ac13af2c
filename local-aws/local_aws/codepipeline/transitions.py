"""Closing and opening the way into a stage; who comes to a closed one waits before it.

https://docs.aws.amazon.com/codepipeline/latest/userguide/transitions.html
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.codepipeline import definitions, gate, tags
from local_aws.errors import validation_error
from local_aws.operations import CODEPIPELINE
from local_aws.store import Body, now


@CODEPIPELINE.operation("DisableStageTransition")
def disable_stage_transition(cloud: Cloud, request: dict[str, Any]) -> None:
    """Close the way into a stage (Inbound), or out of it (Outbound), which is the way into the next."""
    state = {
        "enabled": False,
        "lastChangedBy": tags.caller(cloud),
        "lastChangedAt": now(),
        "disabledReason": request["reason"],
    }
    _change(cloud, request, state)


@CODEPIPELINE.operation("EnableStageTransition")
def enable_stage_transition(cloud: Cloud, request: dict[str, Any]) -> None:
    """Open it again; who waits there enters as the execution mode says."""
    _change(cloud, request, {"enabled": True, "lastChangedBy": tags.caller(cloud), "lastChangedAt": now()})


def _change(cloud: Cloud, request: dict[str, Any], state: dict[str, Any]) -> None:
    name = request["pipelineName"]
    with cloud.store.transaction():
        stage = definitions.stage_of(cloud, name, request["stageName"])
        if request["transitionType"] == "Outbound":
            following = definitions.newest(cloud, name).after(stage.name)
            if following is None:
                raise validation_error(f"Stage '{stage.name}' is the last of pipeline '{name}': nothing goes out of it")
            stage = following

        def apply(body: Body) -> Body:
            return {**body, "_transitions": {**body["_transitions"], stage.name: state}}

        cloud.store.update(definitions.KIND, name, apply)
        gate.settle(cloud, name)
