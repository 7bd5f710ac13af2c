"""Executions of pipelines through boto3: what runs, in which order, with which values, and how it ends."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/rehearsal"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
REPORT = "/opt/ml/processing/report"
ENDED = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")

Json = dict[str, Any]


def get(reference: str) -> Json:
    return {"Get": reference}


def join(on: str, *values: Any) -> Json:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def equals(left: Any, right: Any) -> Json:
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def fail(name: str, message: Any = "no", **members: Any) -> Json:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **members}


def condition(name: str, *conditions: Json, then: list[Json], otherwise: list[Json], **members: Any) -> Json:
    arguments = {"Conditions": list(conditions), "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **members}


def register(name: str, group: Any, description: Any = "a model", **members: Any) -> Json:
    return {
        "Name": name,
        "Type": "RegisterModel",
        "Arguments": {"ModelPackageGroupName": group, "ModelPackageDescription": description},
        **members,
    }


def python(name: str, code: str, bucket: str = "", environment: Json | None = None, **members: Any) -> Json:
    """A Processing step that runs a line of Python; with a bucket, what it writes to REPORT is uploaded."""
    output = {
        "OutputName": "report",
        "S3Output": {
            "S3Uri": join("/", f"s3://{bucket}", get("Execution.PipelineExecutionId"), name),
            "LocalPath": REPORT,
            "S3UploadMode": "EndOfJob",
        },
    }
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", code]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            **({"Environment": environment} if environment else {}),
            **({"ProcessingOutputConfig": {"Outputs": [output]}} if bucket else {}),
        },
        **members,
    }


def sleeping_until_there_is_an_object_in(bucket: str) -> str:
    """A line of Python that takes long where it finds an empty bucket."""
    listed = f"boto3.client('s3').list_objects_v2(Bucket='{bucket}')['KeyCount']"
    return f"import boto3, time; time.sleep(0 if {listed} else 100)"


def pipeline(*steps: Json, parameters: list[Json] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)})


class Pipeline:
    """A pipeline of the test's own."""

    def __init__(self, cloud: Any, definition: str) -> None:
        self.client = cloud.client("sagemaker")
        self.name = f"p-{uuid.uuid4().hex[:10]}"
        self.client.create_pipeline(PipelineName=self.name, PipelineDefinition=definition, RoleArn=ROLE)

    def start(self, **parameters: str) -> str:
        pairs = [{"Name": name, "Value": value} for name, value in parameters.items()]
        started = self.client.start_pipeline_execution(PipelineName=self.name, PipelineParameters=pairs)
        return started["PipelineExecutionArn"]

    def wait(self, arn: str, until: tuple[str, ...] = ENDED) -> Json:
        return _poll(
            lambda: self.client.describe_pipeline_execution(PipelineExecutionArn=arn),
            lambda body: body["PipelineExecutionStatus"] in until,
        )

    def wait_for_step(self, arn: str, step: str, metadata: str) -> Json:
        """The record of a step once its job has been created."""
        record = _poll(
            lambda: self.steps(arn).get(step, {}),
            lambda record: metadata in record.get("Metadata", {}) or "EndTime" in record,
        )
        assert record["StepStatus"] == "Executing", record
        return record

    def run(self, **parameters: str) -> tuple[Json, dict[str, Json]]:
        arn = self.start(**parameters)
        return self.wait(arn), self.steps(arn)

    def steps(self, arn: str) -> dict[str, Json]:
        listed = self.client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return {record["StepName"]: record for record in listed}


def _poll(look: Any, good: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if good(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


PARAMETERS: list[Json] = [
    {"Name": "Count", "Type": "Integer", "DefaultValue": 3},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 0.5},
    {"Name": "Loud", "Type": "Boolean", "DefaultValue": False},
    {"Name": "Size", "Type": "String", "DefaultValue": "small", "EnumValues": ["small", "large"]},
    {"Name": "Who", "Type": "String"},
]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"Who": "me", "Nope": "1"}, "Unknown pipeline parameters [Nope]: the pipeline definition declares Count"),
        ({}, "Missing values for pipeline parameters [Who], which have no default value"),
        ({"Who": "me", "Count": "three"}, "Invalid value [three] for pipeline parameter [Count]"),
        ({"Who": "me", "Count": "3.5"}, "expected a value of type Integer"),
        ({"Who": "me", "Rate": "fast"}, "expected a value of type Float"),
        ({"Who": "me", "Loud": "yes"}, "expected a value of type Boolean"),
        ({"Who": "me", "Size": "huge"}, "it must be one of [small, large]"),
        ({"Who": ""}, "is too short (length: 0, required minimum: 1)"),
    ],
)
def test_an_execution_does_not_start_with_a_parameter_that_is_wrong(cloud: Any, given: Json, says: str) -> None:
    subject = Pipeline(cloud, pipeline(fail("A"), parameters=PARAMETERS))
    with pytest.raises(ClientError) as refused:
        subject.start(**given)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert says in refused.value.response["Error"]["Message"]
    assert subject.client.list_pipeline_executions(PipelineName=subject.name)["PipelineExecutionSummaries"] == []


def test_parameters_and_execution_variables_reach_the_step_as_text(cloud: Any) -> None:
    values = [get(f"Parameters.{parameter['Name']}") for parameter in PARAMETERS]
    message = join("|", *values, get("Execution.PipelineName"), get("Execution.PipelineExecutionArn"))
    subject = Pipeline(cloud, pipeline(fail("A", message), parameters=PARAMETERS))
    execution, steps = subject.run(Who="me", Rate="0.25", Loud="true")
    arn = execution["PipelineExecutionArn"]
    assert steps["A"]["Metadata"]["Fail"]["ErrorMessage"] == f"3|0.25|true|small|me|{subject.name}|{arn}"
    listed = subject.client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    shown = {pair["Name"]: pair["Value"] for pair in listed}
    assert shown == {"Count": "3", "Rate": "0.25", "Loud": "true", "Size": "small", "Who": "me"}


def test_a_fail_step_fails_the_execution_with_its_message(cloud: Any) -> None:
    inner = fail("Stop", join(": ", "outcome", get("Steps.Decide.Outcome")))
    subject = Pipeline(cloud, pipeline(condition("Decide", equals(1, 2), then=[], otherwise=[inner])))
    execution, steps = subject.run()
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed."
    assert steps["Decide"]["StepStatus"] == "Succeeded"
    assert steps["Decide"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert (steps["Stop"]["StepStatus"], steps["Stop"]["FailureReason"]) == ("Failed", "outcome: false")
    summary = subject.client.list_pipeline_executions(PipelineName=subject.name)["PipelineExecutionSummaries"][0]
    assert summary["PipelineExecutionFailureReason"] == execution["FailureReason"]


def test_a_condition_runs_one_list_of_steps_and_what_waits_for_the_other_never_starts(cloud: Any) -> None:
    group = f"g-{uuid.uuid4().hex[:8]}"
    nested = condition(
        "Inner",
        {"Type": "Or", "Conditions": [equals("a", "b"), {"Type": "In", "QueryValue": 2, "Values": [1, 2]}]},
        {"Type": "Not", "Condition": {"Type": "LessThan", "LeftValue": 5, "RightValue": get("Parameters.Count")}},
        then=[register("Good", group, get("Parameters.Who"))],
        otherwise=[fail("Bad")],
    )
    outer = condition(
        "Outer",
        {"Type": "GreaterThanOrEqualTo", "LeftValue": get("Parameters.Count"), "RightValue": 3.0},
        then=[nested],
        otherwise=[register("Other", group)],
    )
    after = register("AfterOther", group, join("", get("Steps.Other.ModelPackageVersion")))
    subject = Pipeline(cloud, pipeline(after, outer, parameters=PARAMETERS))
    execution, steps = subject.run(Who="flowers")
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert set(steps) == {"Outer", "Inner", "Good"}
    arn = steps["Good"]["Metadata"]["RegisterModel"]["Arn"]
    package = subject.client.describe_model_package(ModelPackageName=arn)
    assert (package["ModelPackageGroupName"], package["ModelPackageDescription"]) == (group, "flowers")
    assert package["ModelPackageVersion"] == 1


def test_values_of_different_types_cannot_be_ordered(cloud: Any) -> None:
    odd = {"Type": "LessThan", "LeftValue": "9", "RightValue": 10}
    execution, steps = Pipeline(cloud, pipeline(condition("C", odd, then=[], otherwise=[]))).run()
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "cannot compare '9' with 10" in steps["C"]["FailureReason"]


def test_the_same_token_starts_one_execution(cloud: Any) -> None:
    subject = Pipeline(cloud, pipeline(fail("A")))
    token = uuid.uuid4().hex
    arns = {
        subject.client.start_pipeline_execution(PipelineName=subject.name, ClientRequestToken=token)[
            "PipelineExecutionArn"
        ]
        for _ in range(3)
    }
    assert len(arns) == 1
    subject.wait(arns.pop())


def test_an_execution_keeps_the_definition_it_was_started_with(cloud: Any) -> None:
    old = pipeline(fail("Old"))
    subject = Pipeline(cloud, old)
    execution, _ = subject.run()
    arn = execution["PipelineExecutionArn"]
    subject.client.update_pipeline(PipelineName=subject.name, PipelineDefinition=pipeline(fail("New")))
    kept = subject.client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineDefinition"] == old
    subject.client.update_pipeline_execution(PipelineExecutionArn=arn, PipelineExecutionDisplayName="the-old-one")
    described = subject.client.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionDisplayName"] == "the-old-one"
    missing = arn.rpartition("/")[0] + "/nope"
    with pytest.raises(subject.client.exceptions.ResourceNotFound, match="does not exist"):
        subject.client.describe_pipeline_execution(PipelineExecutionArn=missing)


def test_a_property_file_that_a_job_wrote_decides_a_condition(cloud: Any, bucket: str) -> None:
    code = f"import json; json.dump({{'metrics': [{{'value': 0.93}}]}}, open('{REPORT}/metrics.json', 'w'))"
    files = [{"PropertyFileName": "metrics", "OutputName": "report", "FilePath": "metrics.json"}]
    value = {"Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.metrics"), "Path": "metrics[0].value"}}
    missing = {"Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.metrics"), "Path": "metrics[1]"}}
    good = {"Type": "GreaterThan", "LeftValue": value, "RightValue": 0.9}
    uri = get("Steps.Evaluate.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri")
    subject = Pipeline(
        cloud,
        pipeline(
            python("Evaluate", code, bucket, PropertyFiles=files),
            condition("Gate", good, then=[register("Register", f"g-{bucket}", uri)], otherwise=[fail("Bad")]),
            condition("Lost", equals(missing, 1), then=[], otherwise=[]),
        ),
    )
    execution, steps = subject.run()
    arn = execution["PipelineExecutionArn"]
    job = steps["Evaluate"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    assert job.startswith(f"pipelines-{arn.rpartition('/')[2]}-Evaluate-")
    assert len(job) <= 63
    described = subject.client.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    assert described["ModelPackageDescription"] == f"s3://{bucket}/{arn.rpartition('/')[2]}/Evaluate"
    assert "Unable to resolve [metrics[1] in s3://" in steps["Lost"]["FailureReason"]


def test_a_trained_model_is_registered_from_where_the_job_put_it(cloud: Any, scripts: Any) -> None:
    script = "import os, pathlib; pathlib.Path(os.environ['SM_MODEL_DIR'], 'm.txt').write_text('trained')"
    request = scripts.training_request(script)
    del request["TrainingJobName"]
    request["HyperParameters"]["job"] = get("Execution.TrainingJobName")
    container = {"Image": IMAGE, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    inference = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    registered = register("Register", f"g-{scripts.bucket}")
    registered["Arguments"]["InferenceSpecification"] = inference
    train = {"Name": "Train", "Type": "Training", "Arguments": request}
    subject = Pipeline(cloud, pipeline(registered, train))
    _, steps = subject.run()
    job = subject.client.describe_training_job(
        TrainingJobName=steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    )
    assert job["HyperParameters"]["job"] == job["TrainingJobName"]
    package = subject.client.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    uri = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert uri == job["ModelArtifacts"]["S3ModelArtifacts"]
    assert scripts.archive(uri) == {"m.txt": "trained"}


def test_a_job_that_is_stopped_from_outside_stops_its_step_alone(cloud: Any, bucket: str) -> None:
    subject = Pipeline(
        cloud,
        pipeline(
            python("Sleeps", "import time; time.sleep(100)"),
            register("After", bucket, DependsOn=["Sleeps"]),
            register("Anyway", bucket, DependsOn=[{"Step": "Sleeps", "Trigger": "Any"}]),
        ),
    )
    arn = subject.start()
    record = subject.wait_for_step(arn, "Sleeps", "ProcessingJob")
    job = record["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    subject.client.stop_processing_job(ProcessingJobName=job)
    assert subject.wait(arn)["PipelineExecutionStatus"] == "Stopped"
    statuses = {name: step["StepStatus"] for name, step in subject.steps(arn).items()}
    assert statuses == {"Sleeps": "Stopped", "Anyway": "Succeeded"}


def test_a_failed_step_says_why_and_other_branches_go_on(cloud: Any, bucket: str) -> None:
    subject = Pipeline(
        cloud,
        pipeline(
            python("Breaks", "import sys; sys.exit(7)"),
            register("After", bucket, "x", DependsOn=["Breaks"]),
            register("Beside", bucket, "x"),
            register("BesideAfter", bucket, "x", DependsOn=["Beside"]),
        ),
    )
    execution, steps = subject.run()
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert set(steps) == {"Breaks", "Beside", "BesideAfter"}
    job = subject.client.describe_processing_job(
        ProcessingJobName=steps["Breaks"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    )
    assert job["ProcessingJobStatus"] == "Failed"
    assert steps["Breaks"]["FailureReason"] == job["FailureReason"]
    assert "7" in job["FailureReason"]
    assert steps["BesideAfter"]["StepStatus"] == "Succeeded"


def test_a_request_that_is_refused_fails_its_step_in_the_services_words(cloud: Any) -> None:
    step = python("Refused", "pass")
    step["Arguments"]["RoleArn"] = join("", "not", "a", "role")
    execution, steps = Pipeline(cloud, pipeline(step)).run()
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert steps["Refused"]["FailureReason"].startswith(
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: "
    )
    assert "AttemptCount" in steps["Refused"]


def test_a_step_may_run_because_another_failed(cloud: Any, bucket: str) -> None:
    subject = Pipeline(
        cloud,
        pipeline(
            python("Breaks", "import sys; sys.exit(7)"),
            register("OnFailure", bucket, "x", DependsOn=[{"Step": "Breaks", "Trigger": "Failed"}]),
        ),
    )
    execution, steps = subject.run()
    assert execution["PipelineExecutionStatus"] == "CompletedWithFailures"
    assert steps["OnFailure"]["StepStatus"] == "Succeeded"


def test_independent_steps_run_at_the_same_time_and_no_more_of_them_than_allowed(cloud: Any) -> None:
    definition = pipeline(*(python(f"Step{number}", "import time; time.sleep(1)") for number in range(2)))
    subject = Pipeline(cloud, definition)

    def overlap(arn: str) -> bool:
        first, second = sorted(subject.steps(arn).values(), key=lambda record: record["StartTime"])
        began: datetime = second["StartTime"]
        return began < first["EndTime"]

    arn = subject.start()
    subject.wait(arn)
    assert overlap(arn)
    one = {"MaxParallelExecutionSteps": 1}
    arn = subject.client.start_pipeline_execution(PipelineName=subject.name, ParallelismConfiguration=one)[
        "PipelineExecutionArn"
    ]
    assert subject.wait(arn)["ParallelismConfiguration"] == one
    assert not overlap(arn)


def test_a_cached_step_runs_again_only_when_what_matters_to_it_changes(cloud: Any, bucket: str) -> None:
    caching = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    parameters = [{"Name": "Seed", "Type": "String", "DefaultValue": "1"}]
    step = python("Prepare", "pass", bucket, {"SEED": get("Parameters.Seed")}, **caching)
    uri = get("Steps.Prepare.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri")
    subject = Pipeline(cloud, pipeline(step, register("Use", f"g-{bucket}", uri), parameters=parameters))
    first, steps = subject.run()
    assert "CacheHitResult" not in steps["Prepare"]
    job = steps["Prepare"]["Metadata"]
    # The output's place differs by execution, but outputs are no part of the key.
    for _ in range(2):
        _, steps = subject.run()
        assert steps["Prepare"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first["PipelineExecutionArn"]}
        assert steps["Prepare"]["Metadata"] == job
    package = subject.client.describe_model_package(ModelPackageName=steps["Use"]["Metadata"]["RegisterModel"]["Arn"])
    assert first["PipelineExecutionArn"].rpartition("/")[2] in package["ModelPackageDescription"]
    _, steps = subject.run(Seed="2")
    assert "CacheHitResult" not in steps["Prepare"]
    assert steps["Prepare"]["Metadata"] != job


def test_a_stop_reaches_the_running_job_and_a_retry_carries_on(cloud: Any, bucket: str) -> None:
    code = sleeping_until_there_is_an_object_in(bucket)
    subject = Pipeline(
        cloud,
        pipeline(
            register("Before", f"g-{bucket}"),
            python("Sleeps", code, DependsOn=["Before"]),
            register("After", f"g-{bucket}", DependsOn=["Sleeps"]),
        ),
    )
    arn = subject.start()
    with pytest.raises(ClientError, match="Only pipelines with 'Failed' or 'Stopped' status can be retried"):
        subject.client.retry_pipeline_execution(PipelineExecutionArn=arn)
    with pytest.raises(subject.client.exceptions.ConflictException, match="has running executions"):
        subject.client.delete_pipeline(PipelineName=subject.name)
    subject.wait_for_step(arn, "Sleeps", "ProcessingJob")
    subject.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert subject.wait(arn)["PipelineExecutionStatus"] == "Stopped"
    steps = subject.steps(arn)
    assert set(steps) == {"Before", "Sleeps"}
    assert steps["Sleeps"]["StepStatus"] == "Stopped"
    job = steps["Sleeps"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    described = subject.client.describe_processing_job(ProcessingJobName=job)
    assert described["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="Only pipelines with 'Executing' status can be stopped"):
        subject.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    cloud.client("s3").put_object(Bucket=bucket, Key="go", Body=b"go")
    subject.client.retry_pipeline_execution(PipelineExecutionArn=arn)
    assert subject.wait(arn)["PipelineExecutionStatus"] == "Succeeded"
    again = subject.steps(arn)
    assert again["Before"] == steps["Before"]
    assert again["Sleeps"]["AttemptCount"] == 2
    assert again["After"]["StepStatus"] == "Succeeded"


def test_a_fail_step_stops_what_runs_beside_it(cloud: Any) -> None:
    subject = Pipeline(
        cloud,
        pipeline(
            python("Sleeps", "import time; time.sleep(100)"),
            python("Quick", "pass"),
            fail("Enough", DependsOn=["Quick"]),
        ),
    )
    execution, steps = subject.run()
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert steps["Sleeps"]["StepStatus"] == "Stopped"


def test_an_execution_cut_off_by_the_end_of_the_cloud_has_failed_and_can_be_retried(restartable: Any) -> None:
    first = restartable()
    bucket = first.new_bucket()
    code = sleeping_until_there_is_an_object_in(bucket)
    subject = Pipeline(first, pipeline(register("Before", "g"), python("Sleeps", code, DependsOn=["Before"])))
    arn = subject.start()
    subject.wait_for_step(arn, "Sleeps", "ProcessingJob")
    first.process.kill()
    first.process.wait()
    second = restartable()
    subject.client = second.client("sagemaker")
    execution = subject.wait(arn)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "the local cloud went down" in execution["FailureReason"]
    second.client("s3").put_object(Bucket=bucket, Key="go", Body=b"go")
    subject.client.retry_pipeline_execution(PipelineExecutionArn=arn)
    assert subject.wait(arn)["PipelineExecutionStatus"] == "Succeeded"
