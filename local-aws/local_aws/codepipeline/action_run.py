"""The run of one action: its variables filled in, its provider called as its role, its end recorded.

An action ends once: by what its provider answers, or before that by its time limit, or by being abandoned.
"""

from __future__ import annotations

import functools
import logging
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.codepipeline import action_types, artifacts, execution_record, state_events, variables
from local_aws.codepipeline.actions.protocol import PROVIDERS, ActionFailed, ActionResult, Artifact
from local_aws.codepipeline.actions.protocol import ActionRun as Run
from local_aws.codepipeline.declaration import Action, Pipeline, Stage
from local_aws.codepipeline.execution_record import FAILED, IN_PROGRESS, SUCCEEDED
from local_aws.codepipeline.roles import acting_for
from local_aws.errors import AwsError
from local_aws.store import Body, Missing, now

_LOG = logging.getLogger(__name__)
# By action execution id, of those that run in this process: set when nobody waits for the action any more.
_STOPPING: dict[str, threading.Event] = {}


def give_up(action_id: str) -> None:
    """Let the provider of a running action know that its result is not wanted any more."""
    if event := _STOPPING.get(action_id):
        event.set()


def begin(cloud: Cloud, execution_id: str, pipeline: Pipeline, stage: Stage, action: Action) -> None:
    """Enter a new run of an action into the execution's row, and start it in a thread of its own.

    Nothing is started where the execution was asked to stop meanwhile.
    """
    action_id = str(uuid.uuid4())
    body = cloud.store.get(execution_record.KIND, execution_id)
    record = _record(cloud, body, pipeline, stage, action, action_id)

    def enter(found: Body) -> Body | None:
        if found["status"] != IN_PROGRESS:
            return None
        kept = found["_stages"][stage.name]["actions"]
        changed = execution_record.change_stage(found, stage.name, actions={**kept, action.name: action_id})
        return {**changed, "_actions": {**changed["_actions"], action_id: record}}

    # Known before it is in the row: from then on it may be given up.
    _STOPPING[action_id] = threading.Event()
    body = execution_record.change(cloud, execution_id, enter)
    if action_id not in body["_actions"]:
        del _STOPPING[action_id]
        return
    state_events.action(cloud, body, action_id, "STARTED")
    if record["status"] == FAILED:
        del _STOPPING[action_id]
        state_events.action(cloud, body, action_id, "FAILED")
    else:
        carry_on(cloud, execution_id, pipeline, action, action_id)


def carry_on(cloud: Cloud, execution_id: str, pipeline: Pipeline, action: Action, action_id: str) -> None:
    """Start the thread of a run that is in the row already: after a restart this is how an approval goes on."""
    _STOPPING.setdefault(action_id, threading.Event())
    run = _ActionThread(cloud, execution_id, pipeline, action, action_id)
    threading.Thread(target=run.work, name=f"action {action.name} {execution_id}", daemon=True).start()


def _record(
    cloud: Cloud, body: Body, pipeline: Pipeline, stage: Stage, action: Action, action_id: str
) -> dict[str, Any]:
    rules = action_types.rules_of(action.type)
    at = now()
    inputs = [_artifact(body, name) for name in action.inputs]
    record: dict[str, Any] = {
        "pipelineExecutionId": body["pipelineExecutionId"],
        "actionExecutionId": action_id,
        "pipelineVersion": body["pipelineVersion"],
        "stageName": stage.name,
        "actionName": action.name,
        "startTime": at,
        "lastUpdateTime": at,
        "status": IN_PROGRESS,
        "input": {
            "actionTypeId": action.type.shown,
            "configuration": dict(action.configuration),
            "resolvedConfiguration": {},
            "region": cloud.settings.region,
            "inputArtifacts": artifacts.shown(artifact for artifact in inputs if artifact),
            **({"roleArn": action.role_arn} if action.role_arn else {}),
            **({"namespace": action.namespace} if action.namespace else {}),
        },
        "output": {"outputArtifacts": []},
        "_outputs": artifacts.shown(artifacts.place(pipeline.name, pipeline.bucket, name) for name in action.outputs),
        "_minutes": action.timeout_minutes or (rules.limit.total_seconds() // 60 if rules else 60),
    }
    missing = [name for name, artifact in zip(action.inputs, inputs, strict=True) if artifact is None]
    if missing:
        return execution_record.failed_action(
            record, f"Input artifact [{missing[0]}] was not made by an earlier action.", "JobFailed"
        )
    try:
        record["input"]["resolvedConfiguration"] = variables.resolve(action.configuration, _values(body))
    except variables.Unresolved as error:
        return execution_record.failed_action(record, str(error), "ConfigurationError")
    return record


def _artifact(body: Body, name: str) -> Artifact | None:
    found = body["_artifacts"].get(name)
    return Artifact(name, found["bucket"], found["key"]) if found else None


def _values(body: Body) -> dict[str, Mapping[str, str]]:
    """Every variable that the execution has by now, by namespace."""
    own = {"PipelineExecutionId": body["pipelineExecutionId"]}
    declared = {item["name"]: item["resolvedValue"] for item in body["variables"]}
    return {**body["_namespaces"], variables.EXECUTION: own, variables.PIPELINE: declared}


class _ActionThread:
    """One run of an action, from its record to its end."""

    def __init__(self, cloud: Cloud, execution_id: str, pipeline: Pipeline, action: Action, action_id: str) -> None:
        self._cloud = cloud
        self._execution_id = execution_id
        self._pipeline = pipeline
        self._action = action
        self._action_id = action_id

    def work(self) -> None:
        """Call the provider, and record how the action ended unless that is decided already."""
        try:
            self._carry_out()
        except Missing:
            _LOG.info("action %s: its pipeline was deleted", self._action.name)
        finally:
            _STOPPING.pop(self._action_id, None)

    def _carry_out(self) -> None:
        try:
            with acting_for(self._cloud, self._pipeline.role_arn, self._action.role_arn, self._execution_id):
                result = PROVIDERS[self._action.type.category, self._action.type.provider](self._run())
        except ActionFailed as error:
            self._fail(str(error), error.code)
        except (AwsError, ClientError) as error:
            self._fail(*_told(error))
        except Missing:
            raise
        except Exception as error:
            # A fault of this cloud: its traceback is for the log, and the execution must not wait for this action.
            _LOG.exception("action %s of execution %s", self._action.name, self._execution_id)
            self._fail(f"Internal failure of local-aws: {type(error).__name__}: {error}", "JobFailed")
        else:
            self._succeed(result)

    def _run(self) -> Run:
        body = self._cloud.store.get(execution_record.KIND, self._execution_id)
        record = body["_actions"][self._action_id]
        inputs = {name: _artifact(body, name) for name in self._action.inputs}
        return Run(
            cloud=self._cloud,
            pipeline=self._pipeline.name,
            execution_id=self._execution_id,
            stage=record["stageName"],
            action=self._action.name,
            action_execution_id=self._action_id,
            configuration=record["input"]["resolvedConfiguration"],
            inputs={name: artifact for name, artifact in inputs.items() if artifact},
            outputs={
                item["name"]: Artifact(item["name"], item["s3location"]["bucket"], item["s3location"]["key"])
                for item in record["_outputs"]
            },
            role_arn=self._action.role_arn or self._pipeline.role_arn,
            revision=body["_revisions"].get(self._action.name),
            stopping=_STOPPING[self._action_id],
            report=self._report,
        )

    def _report(self, **members: Any) -> None:
        def apply(action: Body) -> Body:
            told = {
                "externalExecutionId": members.get("externalExecutionId", ""),
                "externalExecutionUrl": members.get("externalExecutionUrl", ""),
                "externalExecutionSummary": members.get("summary", ""),
            }
            private = {f"_{name}": members[name] for name in ("token", "percentComplete") if name in members}
            return {**execution_record.with_result(action, **told), **private}

        execution_record.change_action(self._cloud, self._execution_id, self._action_id, apply)

    def _fail(self, message: str, code: str) -> None:
        # While the cloud goes down the action stays as it is: the next start finds it interrupted.
        if self._cloud.stopping.is_set():
            return
        failed = functools.partial(execution_record.failed_action, message=message or code, code=code)
        if execution_record.change_action(self._cloud, self._execution_id, self._action_id, failed):
            self._tell("FAILED")

    def _succeed(self, result: ActionResult) -> None:
        def end(body: Body) -> Body | None:
            action = body["_actions"][self._action_id]
            if action["status"] != IN_PROGRESS:
                return None
            return _with_success(body, self._action, action, result)

        body = execution_record.change(self._cloud, self._execution_id, end)
        if body["_actions"][self._action_id]["status"] == SUCCEEDED:
            self._tell("SUCCEEDED")

    def _tell(self, state: str) -> None:
        body = self._cloud.store.get(execution_record.KIND, self._execution_id)
        state_events.action(self._cloud, body, self._action_id, state)


def _with_success(body: Body, declared: Action, action: Body, result: ActionResult) -> Body:
    """The row with an action's success, and with what later actions get from it."""
    ended = execution_record.with_result(
        action,
        externalExecutionId=result.external_execution_id or result.revision,
        externalExecutionSummary=result.summary or result.revision_summary,
        externalExecutionUrl=result.revision_url,
    )
    output = {
        **ended["output"],
        "outputArtifacts": action["_outputs"],
        "outputVariables": dict(result.variables),
    }
    ended = {**ended, "status": SUCCEEDED, "lastUpdateTime": now(), "output": output}
    revision = {
        "revisionId": result.revision,
        "revisionSummary": result.revision_summary,
        "revisionUrl": result.revision_url,
    }
    known = {name: value for name, value in revision.items() if value}
    made = {item["name"]: {**item["s3location"], "revision": result.revision} for item in action["_outputs"]}
    kept = [item for item in body["artifactRevisions"] if item["name"] not in made]
    changed = {
        **body,
        "_actions": {**body["_actions"], action["actionExecutionId"]: ended},
        "_artifacts": {**body["_artifacts"], **made},
    }
    if result.revision:
        revisions = [{"name": name, **known, "created": now()} for name in made]
        changed["artifactRevisions"] = [*kept, *revisions]
        changed["_source_revisions"] = {**body["_source_revisions"], declared.name: known}
    if declared.namespace:
        changed["_namespaces"] = {**body["_namespaces"], declared.namespace: dict(result.variables)}
    return changed


def _told(error: AwsError | ClientError) -> tuple[str, str]:
    """Message and code of a refusal by a service that the action has called."""
    if isinstance(error, AwsError):
        code, message = error.code, error.message
    else:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    return f"{code}: {message}", "PermissionError" if "AccessDenied" in code else "JobFailed"
