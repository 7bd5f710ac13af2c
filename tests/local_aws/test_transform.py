"""Batch transform jobs through boto3, on a container that answers each line it is sent."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tarfile
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.sagemaker.transform_records import RecordTooLarge, assemble, payloads

ROLE = "arn:aws:iam::123456789012:role/rehearsal"

# Answers every line in capitals, with the number of lines of the request and what told it of the job.
SERVER = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"")

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "bad" in text:
            return self.answer(400, b"no such flower")
        if "slow" in text:
            time.sleep(100)
        lines = text.splitlines()
        kind = self.headers["Content-Type"] + ">" + self.headers.get("Accept", "-")
        told = os.environ["SAGEMAKER_BATCH"] + os.environ.get("EXTRA", "")
        self.answer(200, "\\n".join(f"{line.upper()},{len(lines)},{kind},{told}" for line in lines).encode())

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


class Transforms:
    """Batch transform jobs of one model; every name is new."""

    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/transform-test:1"

    def __init__(self, serving: Any, folder: Path) -> None:
        self.sagemaker, self.s3, self.logs = serving.sagemaker, serving.s3, serving.cloud.client("logs")
        self.bucket = serving.cloud.new_bucket()
        (folder / "server.py").write_text(SERVER)
        (folder / "Dockerfile").write_text(
            "ARG PYTHON_VERSION=3.12\nFROM python:${PYTHON_VERSION}-slim\nCOPY server.py /opt/program/server.py\n"
            'WORKDIR /opt/program\nENTRYPOINT ["python", "/opt/program/server.py"]\n'
        )
        built = serving.build(self.image, folder, f"PYTHON_VERSION={sys.version_info.major}.{sys.version_info.minor}")
        assert built.returncode == 0, built.stderr
        self.model = f"transform-{uuid.uuid4().hex[:10]}"
        container = {"Image": self.image, "ModelDataUrl": serving.archive(answer_txt="x")}
        self.sagemaker.create_model(ModelName=self.model, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    def put(self, **objects: bytes) -> str:
        """Upload objects (`a_csv=b"..."` becomes a.csv) under a prefix of their own; its URI."""
        prefix = uuid.uuid4().hex[:8]
        for name, body in objects.items():
            self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}/{'.'.join(name.split('_'))}", Body=body)
        return f"s3://{self.bucket}/{prefix}/"

    def request(self, uri: str, source: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        name = f"job-{uuid.uuid4().hex[:10]}"
        return {
            "TransformJobName": name,
            "ModelName": self.model,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                "ContentType": "text/csv",
                "SplitType": "Line",
                **(source or {}),
            },
            "TransformOutput": {"S3OutputPath": f"s3://{self.bucket}/out/{name}", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **changes,
        }

    def start(self, request: dict[str, Any]) -> str:
        self.sagemaker.create_transform_job(**request)
        return request["TransformJobName"]

    def run(self, uri: str, source: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        return self.ended(self.start(self.request(uri, source, **changes)))

    def ended(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            described = self.sagemaker.describe_transform_job(TransformJobName=name)
            if described["TransformJobStatus"] not in ("InProgress", "Stopping"):
                return described
            assert time.monotonic() < deadline, described
            time.sleep(0.05)

    def outputs(self, described: dict[str, Any]) -> dict[str, str]:
        prefix = f"out/{described['TransformJobName']}/"
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            item["Key"].removeprefix(prefix): self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"]
            .read()
            .decode()
            for item in listed
        }


@pytest.fixture(scope="module")
def transforms(serving: Any, tmp_path_factory: pytest.TempPathFactory) -> Transforms:
    return Transforms(serving, tmp_path_factory.mktemp("transform-image"))


@pytest.mark.parametrize(
    ("source", "changes", "says"),
    [
        ({}, {"ModelName": "nope"}, "Could not find model"),
        ({"SplitType": "RecordIO"}, {}, "SplitType RecordIO is not carried out by local-aws: use None or Line"),
        ({"SplitType": "None"}, {"BatchStrategy": "SingleRecord"}, "BatchStrategy SingleRecord needs a SplitType"),
        ({}, {"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "is 120 MB: it must not exceed 100 MB"),
        ({}, {"DataProcessing": {"InputFilter": "$[1:]"}}, "DataProcessing with InputFilter is not carried out"),
        ({}, {"BatchStrategy": "Some"}, "Member must satisfy enum value set"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused(
    transforms: Transforms, source: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError) as refused:
        transforms.start(transforms.request("s3://b/x", source, **changes))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert says in refused.value.response["Error"]["Message"]


def test_every_object_under_a_prefix_gets_an_output_in_the_order_of_its_lines(transforms: Transforms) -> None:
    uri = transforms.put(a_csv=b"rose\r\niris\n", b_csv=b"tulip")
    accept = {"S3OutputPath": "", "AssembleWith": "Line", "Accept": "text/csv"}
    request = transforms.request(uri, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4)
    accept["S3OutputPath"] = request["TransformOutput"]["S3OutputPath"]
    request |= {"TransformOutput": accept, "Environment": {"EXTRA": "!"}}
    described = transforms.ended(transforms.start(request))
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    assert described["TransformStartTime"] <= described["TransformEndTime"]
    end = ",1,text/csv>text/csv,true!\n"
    assert transforms.outputs(described) == {"a.csv.out": f"ROSE{end}IRIS{end}", "b.csv.out": f"TULIP{end}"}
    listed = transforms.sagemaker.list_transform_jobs(NameContains=described["TransformJobName"])
    assert [row["TransformJobStatus"] for row in listed["TransformJobSummaries"]] == ["Completed"]


def test_lines_travel_together_unless_told_otherwise_and_gzip_is_undone(transforms: Transforms) -> None:
    uri = transforms.put(a_csv_gz=gzip.compress(b"rose\niris\n"))
    described = transforms.run(uri, {"CompressionType": "Gzip"})
    assert transforms.outputs(described) == {"a.csv.gz.out": "ROSE,2,text/csv>-,true\nIRIS,2,text/csv>-,true\n"}


def test_a_manifest_names_the_objects(transforms: Transforms) -> None:
    uri = transforms.put(a_csv=b"rose", b_csv=b"iris", c_csv=b"tulip")
    manifest = json.dumps([{"prefix": uri}, "a.csv", "c.csv"]).encode()
    transforms.s3.put_object(Bucket=transforms.bucket, Key="list/manifest.json", Body=manifest)
    source = {"S3DataType": "ManifestFile", "S3Uri": f"s3://{transforms.bucket}/list/manifest.json"}
    described = transforms.run("", {"DataSource": {"S3DataSource": source}})
    assert set(transforms.outputs(described)) == {"a.csv.out", "c.csv.out"}, described


def test_a_bad_object_fails_the_job_and_says_why_while_the_others_get_their_outputs(transforms: Transforms) -> None:
    described = transforms.run(transforms.put(a_csv=b"rose", b_csv=b"bad", c_csv=b"iris"))
    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"] == (
        "ClientError: See job logs for more information. b.csv: status 400: no such flower"
    )
    assert set(transforms.outputs(described)) == {"a.csv.out", "c.csv.out"}
    group = "/aws/sagemaker/TransformJobs"
    streams = transforms.logs.describe_log_streams(
        logGroupName=group, logStreamNamePrefix=f"{described['TransformJobName']}/"
    )["logStreams"]
    data_log = next(row["logStreamName"] for row in streams if row["logStreamName"].endswith("/data-log"))
    events = transforms.logs.get_log_events(logGroupName=group, logStreamName=data_log)["events"]
    assert "no such flower" in events[0]["message"]


def test_input_that_is_not_there_fails_the_job(transforms: Transforms) -> None:
    described = transforms.run(f"s3://{transforms.bucket}/nothing/here")
    assert described["TransformJobStatus"] == "Failed"
    assert "No S3 objects found under S3 URL" in described["FailureReason"]


def test_a_stop_ends_a_job_in_the_middle_of_a_request(transforms: Transforms) -> None:
    name = transforms.start(transforms.request(transforms.put(a_csv=b"slow")))
    transforms.sagemaker.stop_transform_job(TransformJobName=name)
    described = transforms.ended(name)
    assert described["TransformJobStatus"] == "Stopped"
    assert transforms.outputs(described) == {}


def test_a_stop_while_the_model_is_fetched_ends_the_job_too(transforms: Transforms, cloud: Any, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    (tmp_path / "weights").write_bytes(os.urandom(100_000_000))
    with tarfile.open(archive, "w:gz", compresslevel=1) as file:
        file.add(tmp_path / "weights", "weights")
    transforms.s3.upload_file(str(archive), transforms.bucket, "model.tar.gz")
    model = f"transform-{uuid.uuid4().hex[:10]}"
    container = {"Image": transforms.image, "ModelDataUrl": f"s3://{transforms.bucket}/model.tar.gz"}
    transforms.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    name = transforms.start(transforms.request(transforms.put(a_csv=b"slow"), ModelName=model))
    deadline = time.monotonic() + 30
    while not any(cloud.home.glob(f"endpoints/transform-{name}/*/tmp/*")):
        assert time.monotonic() < deadline
    transforms.sagemaker.stop_transform_job(TransformJobName=name)
    assert transforms.ended(name)["TransformJobStatus"] == "Stopped"
    while any(cloud.home.glob(f"endpoints/transform-{name}/*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_pipeline_makes_a_model_and_transforms_with_it(transforms: Transforms) -> None:
    model = transforms.sagemaker.describe_model(ModelName=transforms.model)
    container = {key: model["PrimaryContainer"][key] for key in ("Image", "ModelDataUrl")}
    uri = transforms.put(a_csv=b"rose")
    request = transforms.request(uri)
    del request["TransformJobName"]
    steps = [
        {"Name": "Model", "Type": "Model", "Arguments": {"PrimaryContainer": container, "ExecutionRoleArn": ROLE}},
        {
            "Name": "Transform",
            "Type": "Transform",
            "Arguments": {**request, "ModelName": {"Get": "Steps.Model.ModelName"}},
        },
    ]
    client, name = transforms.sagemaker, f"p-{uuid.uuid4().hex[:8]}"
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    client.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=ROLE)
    arn = client.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    deadline = time.monotonic() + 60
    while client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    listed = client.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    records = listed["PipelineExecutionSteps"]
    assert [(row["StepName"], row["StepStatus"]) for row in records] == [
        ("Model", "Succeeded"),
        ("Transform", "Succeeded"),
    ], records
    model_name = records[0]["Metadata"]["Model"]["Arn"].rpartition("/")[2]
    assert model_name.startswith(f"pipelines-{arn.rpartition('/')[2]}-Model-")
    job = records[1]["Metadata"]["TransformJob"]["Arn"].rpartition("/")[2]
    described = client.describe_transform_job(TransformJobName=job)
    assert described["ModelName"] == model_name


def test_requests_hold_whole_lines_up_to_the_limit() -> None:
    data = b"aaa\n\nbbb\nccccc\n"
    assert list(payloads(data, "Line", "MultiRecord", 8)) == [b"aaa\nbbb", b"ccccc"]
    assert list(payloads(data, "Line", "MultiRecord", 0)) == [b"aaa\nbbb\nccccc"]
    assert list(payloads(data, "Line", "SingleRecord", 8)) == [b"aaa", b"bbb", b"ccccc"]
    assert list(payloads(data, "None", "MultiRecord", 100)) == [data]
    with pytest.raises(RecordTooLarge, match="line 4 has 5 bytes, a request may have 4"):
        list(payloads(data, "Line", "MultiRecord", 4))
    with pytest.raises(RecordTooLarge, match="the object has 15 bytes"):
        list(payloads(data, "None", "MultiRecord", 4))
    assert assemble([b"a", b"b\n"], "Line") == b"a\nb\n"
    assert assemble([b"a", b"b"], "None") == b"ab"
