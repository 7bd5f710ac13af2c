"""The rules by which an execution decides, without a server: values, durations, cache keys, retries, order, names."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from local_aws.cloud import Cloud, Settings
from local_aws.errors import AwsError
from local_aws.iam import policy, roles
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker.pipelines import executions
from local_aws.sagemaker.pipelines.caching import cache_key, duration
from local_aws.sagemaker.pipelines.definition import read_definition
from local_aws.sagemaker.pipelines.expressions import ExpressionFailure, Scope, evaluate
from local_aws.sagemaker.pipelines.job_names import execution_id, job_name
from local_aws.sagemaker.pipelines.references import parse_path
from local_aws.sagemaker.pipelines.retrying import (
    CAPACITY_ERROR,
    JOB_INTERNAL_ERROR,
    SERVICE_FAULT,
    RetryPolicy,
    kind_of_job_failure,
    policy_for,
)
from local_aws.sagemaker.pipelines.schedule import plan, ran_on_failure
from local_aws.sagemaker.pipelines.step_types import STEP_TYPES
from local_aws.store import Store

PROPERTIES: dict[str, dict[str, Any]] = {
    "Prepare": {
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/test"}},
                {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
            ]
        },
        "Environment": {"a.b": "dotted"},
    },
    "Tune": {"TrainingJobSummaries": [{"TrainingJobName": "best"}, {"TrainingJobName": "second"}]},
}
FILES = {"s3://b/m.json": '{"a": {"b c": [1, {"d": true}]}, "text": "x"}', "s3://b/bad.json": "{"}


def scope(**parameters: Any) -> Scope:
    def property_file(step: str, name: str) -> str:
        assert step == "Prepare"
        return f"s3://b/{name}.json"

    return Scope(parameters, {"PipelineName": "p"}, PROPERTIES, property_file, FILES.__getitem__)


def json_get(path: str, name: str = "m") -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.Prepare.PropertyFiles.{name}"}, "Path": path}}


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ({"Get": "Parameters.Nope"}, "Unable to resolve [Parameters.Nope]: it has no value in this execution"),
        ({"Get": "Steps.Tune.TrainingJobSummaries[2].TrainingJobName"}, "there is no 2"),
        ({"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['nope'].S3Output"}, "there is no 'nope'"),
        ({"Std:Join": {"On": "", "Values": [{"Get": "Steps.Tune.TrainingJobSummaries"}]}}, "joins texts and numbers"),
        (json_get("a.x"), "Unable to resolve [a.x in s3://b/m.json]: there is no 'x'"),
        (json_get("a"), "a in s3://b/m.json is not a single value"),
        (json_get("a", "bad"), "s3://b/bad.json is not valid JSON"),
        (json_get("a["), "'a[' is not a path"),
    ],
)
def test_an_expression_without_a_value_says_which_and_why(expression: Any, says: str) -> None:
    with pytest.raises(ExpressionFailure) as failed:
        evaluate(expression, scope())
    assert says in str(failed.value)


def test_expressions_are_replaced_wherever_they_stand_and_nulls_are_left_out() -> None:
    uri = {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}
    top = {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"}
    value = {
        "List": [{"S3Uri": uri}, {"Get": "Parameters.N"}],
        "Text": {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Execution.PipelineName"}, top, 1, 0.5, True]}},
        "Map": {"Get": "Steps.Prepare.Environment['a.b']"},
        "Deep": json_get("a['b c'][1].d"),
        "Dollar": json_get("$.text"),
        "Nothing": None,
    }
    assert evaluate(value, scope(N=3)) == {
        "List": [{"S3Uri": "s3://b/train"}, 3],
        "Text": "s3://p/best/1/0.5/true",
        "Map": "dotted",
        "Deep": True,
        "Dollar": "x",
    }


def test_a_path_has_members_keys_and_indices() -> None:
    assert parse_path(".A.B['x.y'][\"z\"][3].C") == ("A", "B", "x.y", "z", 3, "C")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p30d", timedelta(days=30)),
        ("P4DT12H", timedelta(days=4, hours=12)),
        ("T16m", timedelta(minutes=16)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("P1Y2M3W", timedelta(days=365 + 60 + 21)),
    ],
)
def test_durations_are_read_as_aws_writes_them(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "P", "T", "PT", "1", "P1H", "soon", "P-1D", "1D T2H"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 8601 duration"):
        duration(text)


def test_a_cache_key_looks_at_what_aws_looks_at() -> None:
    tuning = STEP_TYPES["Tuning"]
    arguments = {
        "HyperParameterTuningJobConfig": {"Strategy": "Random"},
        "TrainingJobDefinition": {"StaticHyperParameters": {"seed": "1"}, "Environment": {"COMMIT": "a"}},
    }
    other_commit = json.loads(json.dumps(arguments))
    other_commit["TrainingJobDefinition"]["Environment"]["COMMIT"] = "b"
    other_commit["Tags"] = [{"Key": "a", "Value": "b"}]
    other_seed = json.loads(json.dumps(arguments))
    other_seed["TrainingJobDefinition"]["StaticHyperParameters"]["seed"] = "2"
    assert cache_key(tuning, arguments) == cache_key(tuning, other_commit)
    assert cache_key(tuning, arguments) != cache_key(tuning, other_seed)


def test_a_retry_policy_backs_off_and_gives_up() -> None:
    often = RetryPolicy((CAPACITY_ERROR,), interval=2, backoff=3, max_attempts=3)
    assert [often.delay(retries, 0) for retries in range(4)] == [2, 6, 18, None]
    long = RetryPolicy((CAPACITY_ERROR,), interval=30, backoff=1, expire_after=1)
    assert (long.delay(0, 0), long.delay(1, 29), long.delay(2, 31)) == (30, 30, None)


def test_only_failures_of_the_kinds_a_policy_names_are_tried_again() -> None:
    policy = RetryPolicy((JOB_INTERNAL_ERROR,), max_attempts=1)
    assert policy_for([policy], JOB_INTERNAL_ERROR) is policy
    assert policy_for([policy], CAPACITY_ERROR) is None
    assert policy_for([policy], None) is None
    by_default = policy_for([], SERVICE_FAULT)
    assert by_default is not None
    assert by_default.max_attempts == 3
    assert kind_of_job_failure("InternalServerError: We encountered an internal error.") == JOB_INTERNAL_ERROR
    assert kind_of_job_failure('AlgorithmError: ExecuteUserScriptError: ExitCode 1 ErrorMessage "x"') is None


def fail(name: str, *depends_on: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {}, "DependsOn": list(depends_on)}


def register(name: str, *depends_on: Any) -> dict[str, Any]:
    arguments = {"ModelPackageGroupName": "g"}
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments, "DependsOn": list(depends_on)}


def test_a_step_is_skipped_with_all_that_depends_on_it_when_its_branch_is_not_taken() -> None:
    gate = {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": [register("Yes")], "ElseSteps": [register("No")]},
    }
    steps = [register("Last", "AfterNo"), register("AfterNo", "No"), register("AfterYes", "Yes"), gate]
    definition = read_definition(json.dumps({"Version": "2020-12-01", "Steps": steps}))

    def now(statuses: dict[str, str]) -> tuple[list[str], set[str]]:
        found = plan(definition, statuses, {"Gate": True} if statuses.get("Gate") == "Succeeded" else {})
        return [step.name for step in found.ready], set(found.waiting)

    assert now({}) == (["Gate"], {"Last", "AfterNo", "AfterYes", "Yes", "No"})
    assert now({"Gate": "Executing"}) == ([], {"Last", "AfterNo", "AfterYes", "Yes", "No"})
    assert now({"Gate": "Succeeded"}) == (["Yes"], {"AfterYes"})
    assert now({"Gate": "Succeeded", "Yes": "Failed"}) == ([], set())
    assert now({"Gate": "Failed"}) == ([], set())


def test_a_trigger_names_the_outcome_a_step_waits_for() -> None:
    triggers = ("Completed", "Failed", "Stopped", "Any")
    steps = [register("A"), *(register(name, {"Step": "A", "Trigger": name}) for name in triggers)]
    definition = read_definition(json.dumps({"Version": "2020-12-01", "Steps": steps}))
    for status, expected in (
        ("Succeeded", ["Completed", "Any"]),
        ("Failed", ["Failed", "Any"]),
        ("Stopped", ["Stopped", "Any"]),
    ):
        assert [step.name for step in plan(definition, {"A": status}, {}).ready] == expected
    assert ran_on_failure(definition, {"A": "Failed", "Any": "Succeeded"})
    assert not ran_on_failure(definition, {"A": "Failed"})


def test_names_stay_within_the_limits_of_their_jobs() -> None:
    source = random.Random(0)  # noqa: S311 - names, not secrets
    execution = execution_id(source)
    step = "A_step_with_a_very_long_name-" + "x" * 35
    assert len(job_name(execution, step, source)) <= 63
    assert len(job_name(execution, step, source, tuning=True)) <= 32
    assert job_name(execution, step, source).startswith(f"pipelines-{execution}-A-step-with-a-very-")


class FlakyProcessing:
    """CreateProcessingJob as a service that refuses a few times, and jobs that fail a few times of an inner error."""

    def __init__(self, refusals: int, failures: int) -> None:
        self.refusals, self.failures, self.calls = refusals, failures, 0

    def create(self, cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        if self.refusals:
            self.refusals -= 1
            raise AwsError("ThrottlingException", "Rate exceeded")
        status = {"ProcessingJobStatus": "Completed"}
        if self.failures:
            self.failures -= 1
            status = {"ProcessingJobStatus": "Failed", "FailureReason": "InternalServerError: try again"}
        arn = cloud.arn(f"processing-job/{request['ProcessingJobName']}")
        cloud.store.create("processing_job", request["ProcessingJobName"], {**request, **status})
        return {"ProcessingJobArn": arn}


@pytest.mark.parametrize(
    ("refusals", "failures", "status", "calls"), [(1, 2, "Succeeded", 4), (0, 3, "Failed", 3), (9, 0, "Failed", 4)]
)
def test_a_step_is_tried_again_as_its_policies_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusals: int, failures: int, status: str, calls: int
) -> None:
    from local_aws import services  # noqa: F401 - registers the operations

    service = FlakyProcessing(refusals, failures)
    monkeypatch.setitem(SAGEMAKER.operations, "CreateProcessingJob", service.create)
    cloud = Cloud(Settings(home=tmp_path, port=1), Store(tmp_path / "state.sqlite"), cast(Any, None))
    policies = [
        {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 0.01, "MaxAttempts": 2},
        {"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 0.01, "MaxAttempts": 3},
    ]
    role = "arn:aws:iam::123456789012:role/rehearsal"
    _make_role(monkeypatch, role)
    step = {
        "Name": "Flaky",
        "Type": "Processing",
        "RetryPolicies": policies,
        "Arguments": {
            "RoleArn": role,
            "AppSpecification": {"ImageUri": "image"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
        },
    }
    definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    request = {"PipelineName": "p", "PipelineDefinition": definition, "RoleArn": role, "ClientRequestToken": "t" * 32}
    cloud.call("sagemaker", "CreatePipeline", request)
    started = cloud.call("sagemaker", "StartPipelineExecution", {"PipelineName": "p", "ClientRequestToken": "t" * 32})
    arn = started["PipelineExecutionArn"]
    ended = cloud.store.wait(executions.KIND, arn, lambda body: not executions.is_executing(body), timeout=30)
    assert ended["PipelineExecutionStatus"] == status
    assert ended["_steps"]["Flaky"]["AttemptCount"] == calls
    assert service.calls == calls
    cloud.store.close()


def _make_role(monkeypatch: pytest.MonkeyPatch, arn: str) -> None:
    """A role that may do everything, in this process, where no server keeps any."""
    everything = policy.read("p", '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}')
    trust = policy.read("t", '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}')
    role = roles.Role(arn, "rehearsal", "AROA", trust, (everything,), None, {}, 3600)
    monkeypatch.setattr(roles, "find", lambda _: role)
