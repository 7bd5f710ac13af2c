"""Which steps may start now, and which never will: a decision over a definition and how its steps have ended so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local_aws.sagemaker.pipelines.checks import dependencies
from local_aws.sagemaker.pipelines.definition import Dependency, PipelineDefinition, Step

SUCCEEDED, FAILED, STOPPED = "Succeeded", "Failed", "Stopped"
# How the trigger of a dependency names the outcomes it is content with.
_MET_BY = {
    "Completed": {SUCCEEDED},
    "Failed": {FAILED},
    "Stopped": {STOPPED},
    "Any": {SUCCEEDED, FAILED, STOPPED},
}


@dataclass(frozen=True)
class Plan:
    """The steps that can start, in the order of the definition, and the names of those that wait for something."""

    ready: tuple[Step, ...]
    waiting: frozenset[str]


def plan(definition: PipelineDefinition, statuses: Mapping[str, str], outcomes: Mapping[str, bool]) -> Plan:
    """What to do next.

    `statuses` has every step that was started: `Succeeded`, `Failed`, `Stopped`, or anything else while it runs;
    `outcomes` the outcome of each condition step that has succeeded. A step in neither list of the plan is running,
    has ended, or will not run: its condition went the other way, or what it depends on did not end as it must.
    """
    ready, waiting = [], set()
    skipped: set[str] = set()
    ended = {SUCCEEDED, FAILED, STOPPED}
    left = {name: step for name, step in definition.steps.items() if name not in statuses}
    # A step that is skipped takes those that depend on it with it, wherever they stand in the list.
    while True:
        found = {
            name
            for name, step in left.items()
            if name not in skipped
            and any(_fails(step, item, statuses, outcomes, skipped) for item in dependencies(step))
        }
        if not found:
            break
        skipped |= found
    for name, step in left.items():
        if name in skipped:
            continue
        if all(statuses.get(item.step) in ended for item in dependencies(step)):
            ready.append(step)
        else:
            waiting.add(name)
    return Plan(tuple(ready), frozenset(waiting))


def ran_on_failure(definition: PipelineDefinition, statuses: Mapping[str, str]) -> bool:
    """Whether a step ran because another had failed: such an execution ends in `CompletedWithFailures`."""
    return any(
        statuses.get(item.step) == FAILED and item.trigger in ("Failed", "Any")
        for name, step in definition.steps.items()
        if name in statuses
        for item in step.depends_on
    )


def _fails(
    step: Step, dependency: Dependency, statuses: Mapping[str, str], outcomes: Mapping[str, bool], skipped: set[str]
) -> bool:
    """Whether a dependency can no longer be met."""
    if dependency.step in skipped:
        return True
    status = statuses.get(dependency.step)
    if status not in (SUCCEEDED, FAILED, STOPPED):
        return False
    if step.branch is not None and dependency.step == step.branch.condition:
        return status != SUCCEEDED or outcomes[dependency.step] != step.branch.outcome
    return status not in _MET_BY[dependency.trigger]
