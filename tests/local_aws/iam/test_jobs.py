"""Jobs, models and pipelines that act as their roles: what the role may not do, they cannot."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
PULL = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
SAY_HELLO = "print('hello')"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def job_role(roles: Any, bucket: str, *more: dict[str, Any], read: str = "*") -> str:
    return str(
        roles.make(
            LOGS,
            PULL,
            allow("s3:GetObject", f"arn:aws:s3:::{bucket}/{read}"),
            allow("s3:PutObject", f"arn:aws:s3:::{bucket}/out/*"),
            *more,
        )
    )


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        (None, "there is no such role"),
        ({"Service": "codebuild.amazonaws.com"}, "its trust policy does not allow it"),
    ],
)
def test_a_role_that_sagemaker_may_not_assume_is_refused(roles: Any, scripts: Any, trust: Any, reason: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    if trust is not None:
        role = roles.make(trust={"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"})
    with pytest.raises(ClientError, match="Could not assume role") as caught:
        scripts.sagemaker.create_training_job(**scripts.training_request(SAY_HELLO, RoleArn=role))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert reason in str(caught.value)


def test_a_trust_policy_may_ask_for_the_account_and_the_job(roles: Any, scripts: Any) -> None:
    conditions = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:*:{ACCOUNT}:training-job/other-*"},
    }
    principal = {"Service": "sagemaker.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": conditions}
    request = scripts.training_request(SAY_HELLO, RoleArn=roles.make(trust=statement))
    with pytest.raises(ClientError, match="Could not assume role"):
        scripts.sagemaker.create_training_job(**request)


def test_a_training_job_fails_on_data_that_its_role_may_not_read(roles: Any, scripts: Any) -> None:
    scripts.s3.put_object(Bucket=scripts.bucket, Key="data/x.csv", Body=b"1")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{scripts.bucket}/data/"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    for more, words in (
        ([], f's3:ListBucket on resource: "arn:aws:s3:::{scripts.bucket}"'),
        ([allow("s3:ListBucket")], f's3:GetObject on resource: "arn:aws:s3:::{scripts.bucket}/data/x.csv"'),
    ):
        role = job_role(roles, scripts.bucket, *more, read="code/*")
        job = scripts.train(SAY_HELLO, RoleArn=role, InputDataConfig=[channel])
        assert job["TrainingJobStatus"] == "Failed"
        assert job["FailureReason"].startswith("ClientError: Data download failed")
        assert (
            f"assumed-role/{role.rpartition('/')[2]}/SageMaker is not authorized to perform: {words}"
            in job["FailureReason"]
        )


def test_a_training_job_fails_on_an_image_that_its_role_may_not_pull(roles: Any, scripts: Any) -> None:
    job = scripts.train(SAY_HELLO, RoleArn=roles.make(LOGS, allow("s3:*")))
    assert "ClientError: Could not pull image" in job["FailureReason"]
    assert "ecr:GetAuthorizationToken" in job["FailureReason"]


def test_a_training_job_fails_on_a_model_that_its_role_may_not_write(roles: Any, scripts: Any) -> None:
    role = roles.make(LOGS, PULL, allow(["s3:GetObject", "s3:ListBucket"]))
    job = scripts.train(SAY_HELLO, RoleArn=role)
    assert job["TrainingJobStatus"] == "Failed"
    assert "Artifact upload failed" in job["FailureReason"]
    assert "s3:PutObject" in job["FailureReason"]


def test_a_role_that_may_not_write_logs_has_none_and_its_job_completes(roles: Any, scripts: Any) -> None:
    job = scripts.train(SAY_HELLO, RoleArn=roles.make(PULL, allow("s3:*")))
    assert job["TrainingJobStatus"] == "Completed"
    assert scripts.log("/aws/sagemaker/TrainingJobs", job["TrainingJobName"]) == ""


def test_a_script_is_the_role_of_its_job_and_each_job_has_its_own(roles: Any, scripts: Any) -> None:
    script = """
import boto3, botocore
print("I am", boto3.client("sts").get_caller_identity()["Arn"])
try:
    boto3.client("s3").list_buckets()
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"], error.response["Error"]["Message"])
"""
    for _ in range(2):
        role = job_role(roles, scripts.bucket)
        job = scripts.train(script, RoleArn=role)
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        log = scripts.log("/aws/sagemaker/TrainingJobs", job["TrainingJobName"])
        assert f"I am arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/SageMaker" in log
        assert "AccessDenied User: " in log


def test_a_processing_job_fails_on_an_output_that_its_role_may_not_write(roles: Any, scripts: Any) -> None:
    role = roles.make(LOGS, PULL, allow(["s3:GetObject", "s3:ListBucket"]))
    job = scripts.process("open('/opt/ml/processing/out/x', 'w').write('x')", RoleArn=role)
    assert job["ProcessingJobStatus"] == "Failed"
    assert "s3:PutObject" in job["FailureReason"]


def test_a_model_whose_role_may_not_read_its_data_is_refused(roles: Any, serving: Any) -> None:
    container = {"Image": serving.image, "ModelDataUrl": serving.archive(answer_txt="x")}
    role = roles.make(PULL, LOGS)
    with pytest.raises(ClientError, match="Could not access model data") as caught:
        serving.sagemaker.create_model(ModelName="denied", PrimaryContainer=container, ExecutionRoleArn=role)
    assert "s3:GetObject on resource" in str(caught.value)


def test_an_endpoint_fails_when_its_role_loses_the_model(roles: Any, serving: Any) -> None:
    container = {"Image": serving.image, "ModelDataUrl": serving.archive(answer_txt="x")}
    role, model = roles.make(PULL, LOGS, allow("s3:GetObject")), f"model-{uuid.uuid4().hex[:8]}"
    serving.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=role)
    without = json.dumps({"Version": "2012-10-17", "Statement": [PULL, LOGS]})
    roles.iam.put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="own", PolicyDocument=without)
    name = f"endpoint-{uuid.uuid4().hex[:8]}"
    serving.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=serving.config({"ModelName": model}))
    described = serving.settled(name)
    assert described["EndpointStatus"] == "Failed"
    assert "s3:GetObject" in described["FailureReason"]


def test_an_endpoint_is_invoked_by_a_role_that_may_and_its_captures_are_written_by_its_own(
    roles: Any, serving: Any
) -> None:
    role = roles.make(
        PULL, LOGS, allow("s3:GetObject"), allow("s3:PutObject", f"arn:aws:s3:::{serving.bucket}/capture/*")
    )
    container = {"Image": serving.image, "ModelDataUrl": serving.archive(answer_txt="x")}
    model = f"model-{uuid.uuid4().hex[:8]}"
    serving.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=role)
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{serving.bucket}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    name = serving.endpoint(serving.config({"ModelName": model}, DataCaptureConfig=capture))
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/{name}"
    caller = roles.client(roles.make(allow("sagemaker:InvokeEndpoint", arn)), "sagemaker-runtime")
    assert caller.invoke_endpoint(EndpointName=name, Body=b"{}")["Body"].read()
    other = roles.client(roles.make(allow("sagemaker:InvokeEndpoint", arn + "-2")), "sagemaker-runtime")
    with pytest.raises(ClientError, match=f"sagemaker:InvokeEndpoint on resource: {arn}") as caught:
        other.invoke_endpoint(EndpointName=name, Body=b"{}")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    serving.sagemaker.delete_endpoint(EndpointName=name)
    keys = serving.s3.list_objects_v2(Bucket=serving.bucket, Prefix=f"capture/{name}/")
    assert keys["KeyCount"] == 1


@pytest.mark.parametrize("passing", ["nothing", "another service", "another role", "it"])
def test_a_role_is_handed_to_a_job_only_by_whom_may_pass_it(roles: Any, scripts: Any, passing: str) -> None:
    request = scripts.training_request(SAY_HELLO)
    to = "codebuild" if passing == "another service" else "sagemaker"
    role = request["RoleArn"] + "-2" if passing == "another role" else request["RoleArn"]
    condition = {"StringEquals": {"iam:PassedToService": f"{to}.amazonaws.com"}}
    statements = [] if passing == "nothing" else [allow("iam:PassRole", role, Condition=condition)]
    caller = roles.client(roles.make(allow("sagemaker:CreateTrainingJob"), *statements), "sagemaker")
    if passing == "it":
        caller.create_training_job(**request)
        return
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {request['RoleArn']}") as caught:
        caller.create_training_job(**request)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def pipeline(scripts: Any, role: str) -> tuple[str, dict[str, Any]]:
    """Run a pipeline of one training step to its end; its status and the record of the step."""
    request = scripts.training_request(SAY_HELLO)
    arguments = {key: value for key, value in request.items() if key != "TrainingJobName"} | {"RoleArn": role}
    definition = {"Version": "2020-12-01", "Steps": [{"Name": "Train", "Type": "Training", "Arguments": arguments}]}
    name, sagemaker = f"pipeline-{uuid.uuid4().hex[:8]}", scripts.sagemaker
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=role)
    arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        if status not in ("Executing", "Stopping"):
            return status, sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"][
                0
            ]
        time.sleep(0.05)
    pytest.fail("the execution does not end")


def test_a_pipeline_whose_role_may_not_create_jobs_says_so(roles: Any, scripts: Any) -> None:
    role = job_role(roles, scripts.bucket)
    status, step = pipeline(scripts, role)
    assert status == "Failed"
    assert "is not authorized to perform: sagemaker:CreateTrainingJob on resource: " in step["FailureReason"]
    assert ":training-job/pipelines-" in step["FailureReason"]


def test_a_pipeline_whose_role_may_not_pass_itself_says_so(roles: Any, scripts: Any) -> None:
    status, step = pipeline(scripts, job_role(roles, scripts.bucket, allow("sagemaker:*")))
    assert (status, "iam:PassRole" in step["FailureReason"]) == ("Failed", True)


def test_a_pipeline_runs_as_a_role_that_may(roles: Any, scripts: Any) -> None:
    role = job_role(roles, scripts.bucket, allow(["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"]))
    own = json.dumps({"Version": "2012-10-17", "Statement": [allow("iam:PassRole", role)]})
    roles.iam.put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="pass", PolicyDocument=own)
    status, step = pipeline(scripts, role)
    assert status == "Succeeded", step.get("FailureReason")
