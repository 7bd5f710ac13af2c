"""The door: what is refused before any service sees it, and what moto is handed."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore import xform_name
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError


def call(cloud: Any, operation: str, body: bytes, **more: str) -> requests.Response:
    """A signed JSON request for SageMaker that no client library has looked at."""
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1", **more}
    request = AWSRequest("POST", cloud.endpoint_url, data=body, headers=headers)
    SigV4Auth(Credentials("a", "b"), "sagemaker", "us-east-1").add_auth(request)
    return requests.post(cloud.endpoint_url, data=body, headers=dict(request.headers), timeout=30)


def test_an_operation_that_is_not_carried_out_fails_loudly_with_json(cloud: Any) -> None:
    with pytest.raises(ClientError, match="sagemaker:ListApps is not carried out by local-aws") as caught:
        cloud.client("sagemaker").list_apps()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8000"},
        {"Origin": "null"},
        {"Host": "elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_may_call_nothing(cloud: Any, headers: dict[str, str]) -> None:
    answer = call(cloud, "ListTrainingJobs", b"{}", **headers)
    assert (answer.status_code, answer.json()["__type"]) == (403, "AccessDenied")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_page_of_another_site_may_read_no_bucket_and_is_told_so_before_it_asks(cloud: Any) -> None:
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    for method in ("OPTIONS", "GET", "PUT"):
        url = f"{cloud.endpoint_url}/{cloud.new_bucket()}/key"
        answer = requests.request(method, url, headers={"Origin": "http://localhost:8000", **asks}, timeout=30)
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_bucket_before_the_name_of_this_machine_is_answered(cloud: Any) -> None:
    port = cloud.endpoint_url.rpartition(":")[2]
    assert call(cloud, "ListTrainingJobs", b"{}", Host=f"bucket.localhost:{port}").status_code == 200


def test_an_operation_that_aws_does_not_have_is_unknown(cloud: Any) -> None:
    answer = call(cloud, "MakeTea", b"{}")
    assert (answer.status_code, answer.json()["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"text"'])
def test_a_body_that_is_no_json_object_is_a_serialization_error(cloud: Any, body: bytes) -> None:
    answer = call(cloud, "DescribeTrainingJob", body)
    assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize("value", [1, [], {}, None])
def test_a_member_of_the_wrong_type_is_refused(cloud: Any, value: Any) -> None:
    answer = call(cloud, "DescribeTrainingJob", json.dumps({"TrainingJobName": value}).encode())
    assert answer.status_code == 400
    assert answer.json()["__type"] in ("ValidationException", "SerializationException")


@pytest.mark.parametrize(
    "body",
    [
        b'{"NameContains":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"NameContains":' + b"[" * 700 + b"]" * 700 + b"}",
        b'{"NameContains":"\\ud800"}',
        b'{"MaxResults":1e400}',
        b'{"MaxResults":NaN}',
        b'{"CreationTimeAfter":1e300}',
        b'{"CreationTimeAfter":"0001-01-01T00:00:00+14:00"}',
        b'{"CreationTimeAfter":"yesterday"}',
    ],
    ids=lambda body: body[:40].decode(),
)
def test_a_value_that_nothing_can_be_made_of_is_refused_and_no_failure_of_the_server(cloud: Any, body: bytes) -> None:
    answer = call(cloud, "ListModelPackageGroups", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["__type"] in ("ValidationException", "SerializationException")


def test_a_time_without_a_zone_is_taken_as_utc(cloud: Any) -> None:
    name = f"group-{uuid.uuid4().hex[:8]}"
    cloud.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    for after, seen in (("2020-01-01T00:00:00", [name]), ("2999-01-01T00:00:00", [])):
        asked = json.dumps({"NameContains": name, "CreationTimeAfter": after}).encode()
        answer = call(cloud, "ListModelPackageGroups", asked)
        assert answer.status_code == 200, answer.text
        assert [row["ModelPackageGroupName"] for row in answer.json()["ModelPackageGroupSummaryList"]] == seen


@pytest.mark.parametrize("token", ["-3", "+1", "1_0", "x", "", "\u0663"])
def test_a_token_that_no_page_ended_with_is_refused(cloud: Any, token: str) -> None:
    answer = call(cloud, "ListModelPackageGroups", json.dumps({"NextToken": token}).encode())
    assert (answer.status_code, answer.json()["__type"]) == (400, "ValidationException")


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("logs", "ListAnomalies", {}),
        ("ecr", "DescribeRepositoryCreationTemplates", {}),
        ("iam", "GetContextKeysForCustomPolicy", {"PolicyInputList": ["{}"]}),
    ],
)
def test_an_operation_that_moto_lacks_is_refused_at_once_in_the_words_of_its_service(
    cloud: Any, service: str, operation: str, request_: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match=f"{service}:{operation} is not carried out by local-aws") as caught:
        getattr(cloud.client(service), xform_name(operation))(**request_)
    told = caught.value.response
    assert (told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]) == (400, "UnknownOperationException")


def test_a_page_that_no_service_has_is_refused_in_json_and_not_in_html(cloud: Any) -> None:
    with pytest.raises(ClientError, match=r"eks:GET /clusters/c/insights.* is not carried out by local-aws") as caught:
        cloud.client("eks").describe_insight(clusterName="c", id="i")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_missing_member_is_named(cloud: Any) -> None:
    answer = call(cloud, "DescribeTrainingJob", b"{}")
    assert answer.json()["__type"] == "ValidationException"
    assert "TrainingJobName" in answer.json()["message"]


def test_the_roles_of_the_sdk_are_simulated(cloud: Any) -> None:
    answer = cloud.client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/rehearsal", ActionNames=["s3:GetObject", "s3:PutObject"]
    )
    assert [item["EvalDecision"] for item in answer["EvaluationResults"]] == ["allowed", "allowed"]


def test_an_empty_object_is_stored_at_once(cloud: Any, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="empty", Body=b"")
    assert cloud.client("s3").head_object(Bucket=bucket, Key="empty")["ContentLength"] == 0


def test_user_metadata_keeps_its_names(cloud: Any, bucket: str) -> None:
    metadata = {"lower": "1", "with-dash": "2", "with_underscore": "3"}
    cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)
    assert cloud.client("s3").head_object(Bucket=bucket, Key="k")["Metadata"] == metadata


def test_large_objects_pass_in_parts(cloud: Any, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "big"
    source.write_bytes(bytes(range(256)) * 4096 * 24)
    s3 = cloud.client("s3")
    s3.upload_file(str(source), bucket, "big")
    s3.download_file(bucket, "big", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_plain_boto3_needs_nothing_but_the_environment(cloud: Any) -> None:
    script = (
        "import boto3; boto3.client('sagemaker').list_training_jobs(); "
        "print(boto3.client('sts').get_caller_identity()['Account'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], env=cloud.environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "123456789012"


def test_up_status_and_down_find_each_other(tmp_path: Path) -> None:
    def run(verb: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local_aws", verb, "--home", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (run("status").stdout.strip(), run("status").returncode) == ("down", 3)
    try:
        up = run("up")
        address = up.stdout.split()[1]
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto3.client("sagemaker", endpoint_url=address, region_name="us-east-1", **keys)
        assert client.list_training_jobs()["TrainingJobSummaries"] == []
        assert "already up" in run("up").stdout
        assert run("status").returncode == 0
    finally:
        assert "stopped" in run("down").stdout
    assert run("status").returncode == 3
