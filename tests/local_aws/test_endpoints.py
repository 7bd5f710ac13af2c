"""Endpoints: created, updated and deleted, with the states and the reasons that AWS gives."""

from __future__ import annotations

import io
import os
import signal
import tarfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError


def wait_until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """What `condition` answers once that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"not so after {seconds} s")


def failed(serving: Any, config: str) -> str:
    """The reason why an endpoint of this configuration fails."""
    name = f"endpoint-{uuid.uuid4().hex[:10]}"
    serving.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    described = serving.settled(name)
    assert described["EndpointStatus"] == "Failed"
    serving.sagemaker.delete_endpoint(EndpointName=name)
    return described["FailureReason"]


class Caller:
    """Calls an endpoint without pause from several threads, and keeps what was answered and what failed."""

    def __init__(self, serving: Any, endpoint: str) -> None:
        self.names: list[str] = []
        self.failures: list[Exception] = []
        self._serving, self._endpoint = serving, endpoint
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(3)]

    def __enter__(self) -> Caller:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        while not self._stop.is_set():
            try:
                self.names.append(self._serving.invoke(self._endpoint, b"sleep 0.02")["name"])
            except ClientError as error:
                self.failures.append(error)


def test_a_configuration_of_a_missing_model_is_refused(serving: Any) -> None:
    with pytest.raises(
        ClientError, match=r'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/gone"\.'
    ):
        serving.config({"ModelName": "gone"})


def test_configurations_that_are_not_carried_out_are_refused(serving: Any) -> None:
    model = serving.model()
    refused = {
        "ServerlessConfig": {"ModelName": model, "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}},
        "above 0": {"ModelName": model, "InitialVariantWeight": 0},
    }
    for reason, variant in refused.items():
        with pytest.raises(ClientError, match=reason):
            serving.config(variant)
    with pytest.raises(ClientError, match="Duplicate variant names"):
        serving.config({"ModelName": model}, {"ModelName": model})
    with pytest.raises(ClientError, match="AsyncInferenceConfig is not carried out"):
        serving.config({"ModelName": model}, AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://b/k"}})
    with pytest.raises(ClientError, match="enum value set"):
        serving.config({"ModelName": model, "InstanceType": "ml.m0.huge"})


def test_endpoints_that_cannot_be_are_refused(serving: Any) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        serving.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="gone")
    for call in (serving.sagemaker.describe_endpoint, serving.sagemaker.delete_endpoint):
        with pytest.raises(ClientError, match=r'Could not find endpoint "arn:.*:endpoint/gone"') as caught:
            call(EndpointName="gone")
        assert caught.value.response["Error"]["Code"] == "ValidationException"
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 0}
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    config = serving.config({"ModelName": serving.model()})
    with pytest.raises(ClientError, match="CanarySize must be given"):
        serving.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName=config, DeploymentConfig=policy)


def test_a_container_that_ends_fails_the_endpoint_at_once_with_its_last_words(serving: Any) -> None:
    began = time.monotonic()
    reason = failed(serving, serving.config({"ModelName": serving.model(BROKEN="no such file")}))
    assert time.monotonic() - began < 30
    assert "production variant AllTraffic did not pass the ping health check" in reason
    assert "exit code 1" in reason
    assert "cannot load the model: no such file" in reason


def test_model_data_that_is_no_archive_fails_the_endpoint_with_its_reason(serving: Any) -> None:
    uri = serving.upload(b"this is no archive")
    name = f"model-{uuid.uuid4().hex[:10]}"
    serving.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": serving.image, "ModelDataUrl": uri})
    reason = failed(serving, serving.config({"ModelName": name}))
    assert uri in reason
    assert "valid tar.gz archive" in reason


@pytest.mark.parametrize("trick", ["../../evil.txt", "/{absolute}/evil.txt", "link"])
def test_model_data_that_leads_out_of_its_folder_is_not_unpacked(serving: Any, trick: str, tmp_path: Path) -> None:
    trick = trick.replace("/{absolute}", str(tmp_path))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(trick)
        if trick == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "../../../../../etc"
        tar.addfile(info, io.BytesIO())
    name = f"model-{uuid.uuid4().hex[:10]}"
    uri = serving.upload(buffer.getvalue())
    serving.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": serving.image, "ModelDataUrl": uri})
    assert "Failed to extract model data archive" in failed(serving, serving.config({"ModelName": name}))
    assert not [*serving.cloud.home.rglob("evil.txt"), *tmp_path.rglob("evil.txt")]


def test_an_endpoint_is_described_listed_and_gone_when_deleted(serving: Any) -> None:
    config = serving.config({"ModelName": serving.model("first")})
    name = f"endpoint-{uuid.uuid4().hex[:10]}"
    arn = serving.sagemaker.create_endpoint(
        EndpointName=name, EndpointConfigName=config, Tags=[{"Key": "stage", "Value": "test"}]
    )["EndpointArn"]
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        serving.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    serving.settled(name)
    serving.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name)
    described = serving.sagemaker.describe_endpoint(EndpointName=name)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", config)
    variant = described["ProductionVariants"][0]
    assert (variant["VariantName"], variant["CurrentWeight"], variant["CurrentInstanceCount"]) == ("AllTraffic", 1.0, 1)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == serving.image
    assert "@sha256:" in variant["DeployedImages"][0]["ResolvedImage"]
    assert serving.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]
    listed = serving.sagemaker.list_endpoints(NameContains=name, StatusEquals="InService")["Endpoints"]
    assert [row["EndpointArn"] for row in listed] == [arn]
    pid = serving.invoke(name)["pid"]
    serving.sagemaker.delete_endpoint(EndpointName=name)
    serving.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name)
    wait_until(lambda: not psutil.pid_exists(pid))
    with pytest.raises(ClientError, match=rf"Endpoint {name} of account 123456789012 not found"):
        serving.invoke(name)


def test_uncompressed_model_data_is_there_as_it_lies_in_s3(serving: Any) -> None:
    for key, text in (("plain/a.txt", "a"), ("plain/sub/b.txt", "b")):
        serving.s3.put_object(Bucket=serving.bucket, Key=key, Body=text.encode())
    source = {"S3Uri": f"s3://{serving.bucket}/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    name = f"model-{uuid.uuid4().hex[:10]}"
    container = {"Image": serving.image, "ModelDataSource": {"S3DataSource": source}}
    serving.sagemaker.create_model(ModelName=name, PrimaryContainer=container)
    endpoint = serving.endpoint(serving.config({"ModelName": name}))
    assert serving.invoke(endpoint)["model"] == {"a.txt": "a", "sub/b.txt": "b"}


def test_an_update_takes_over_without_a_failed_call(serving: Any) -> None:
    endpoint = serving.endpoint(serving.config({"ModelName": serving.model("old")}))
    old = serving.invoke(endpoint)["pid"]
    config = serving.config({"ModelName": serving.model("new")})
    with Caller(serving, endpoint) as caller:
        serving.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            serving.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        described = serving.settled(endpoint)
        answered = len(caller.names)
        wait_until(lambda: len(caller.names) > answered + 10)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", config)
    assert "FailureReason" not in described
    assert caller.failures == []
    assert (caller.names[0], caller.names[-1]) == ("old", "new")
    wait_until(lambda: not psutil.pid_exists(old))


def test_an_update_that_never_answers_leaves_the_old_one_in_service_and_says_why(serving: Any) -> None:
    before = serving.config({"ModelName": serving.model("old")})
    endpoint = serving.endpoint(before)
    with Caller(serving, endpoint) as caller:
        config = serving.config({"ModelName": serving.model("new", BROKEN="bad weights")})
        serving.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        described = serving.settled(endpoint)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert "cannot load the model: bad weights" in described["FailureReason"]
    assert caller.failures == []
    assert set(caller.names) == {"old"}


def test_an_alarm_rolls_an_update_back_while_its_traffic_moves(serving: Any) -> None:
    before = serving.config({"ModelName": serving.model("old")})
    endpoint = serving.endpoint(before)
    alarm = f"errors-{endpoint}"
    serving.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 60, "CanarySize": size}
    serving.sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=serving.config({"ModelName": serving.model("new")}),
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
        },
    )
    pending = serving.sagemaker.describe_endpoint(EndpointName=endpoint)["PendingDeploymentSummary"]
    assert pending["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    wait_until(lambda: serving.invoke(endpoint)["name"] == "new")
    with pytest.raises(ClientError, match="500"):
        serving.invoke(endpoint, b"status 500")
    described = serving.settled(endpoint)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", before)
    assert alarm in described["FailureReason"]
    assert {serving.invoke(endpoint)["name"] for _ in range(8)} == {"old"}


def test_a_container_that_dies_in_service_is_started_again_and_its_log_says_so(serving: Any) -> None:
    endpoint = serving.endpoint(serving.config({"ModelName": serving.model("phoenix")}))
    first = serving.invoke(endpoint)["pid"]
    with pytest.raises(ClientError) as caught:
        serving.invoke(endpoint, b"die")
    assert caught.value.response["Error"]["Code"] == "ModelError"

    def answers_again() -> Any:
        try:
            return serving.invoke(endpoint)["pid"] != first
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("ServiceUnavailable", "ModelError")  # noqa: PT017 - polled
            return False

    wait_until(answers_again)
    logs = serving.cloud.client("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["logStreamName"].startswith("AllTraffic/i-")

    def messages() -> str:
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        return "\n".join(event["message"] for event in events["events"])

    wait_until(lambda: "in service again" in messages())
    assert messages().count("hello from phoenix") == 2
    assert "exit code 3 while in service" in messages()


def test_weights_share_the_traffic_and_can_be_changed(serving: Any) -> None:
    config = serving.config(
        {"VariantName": "a", "ModelName": serving.model("a"), "InitialVariantWeight": 1},
        {"VariantName": "b", "ModelName": serving.model("b"), "InitialVariantWeight": 0},
    )
    endpoint = serving.endpoint(config)
    assert {serving.invoke(endpoint)["name"] for _ in range(20)} == {"a"}
    wanted = [
        {"VariantName": "a", "DesiredWeight": 0},
        {"VariantName": "b", "DesiredWeight": 3, "DesiredInstanceCount": 2},
    ]
    serving.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)
    variants = {variant["VariantName"]: variant for variant in serving.settled(endpoint)["ProductionVariants"]}
    assert (variants["b"]["CurrentWeight"], variants["b"]["CurrentInstanceCount"]) == (3.0, 2)
    assert {serving.invoke(endpoint)["name"] for _ in range(20)} == {"b"}
    other = serving.config({"VariantName": "b", "ModelName": serving.model("c")})
    serving.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=other, RetainAllVariantProperties=True)
    [variant] = serving.settled(endpoint)["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (3.0, 2)
    with pytest.raises(ClientError, match='Could not find variant "a"'):
        serving.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=wanted
        )


def test_endpoints_survive_the_cloud_though_their_processes_do_not(
    restartable: Callable[[], Any], serving_of: Callable[[Any], Any]
) -> None:
    first = restartable()
    serving = serving_of(first)
    model = serving.model("back")
    config = serving.config({"ModelName": model})
    endpoint = serving.endpoint(config)
    pid = serving.invoke(endpoint)["pid"]
    serving.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    serving.sagemaker.delete_model(ModelName=model)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    wait_until(lambda: not psutil.pid_exists(pid))
    second = restartable()
    described = second.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    assert described["EndpointStatus"] == "InService"
    answer = second.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=b"{}")
    assert b'"name": "back"' in answer["Body"].read()


def test_an_endpoint_serves_where_processes_cannot_have_mounts_of_their_own(
    cloud_without_rooms: Any, serving_of: Callable[[Any], Any]
) -> None:
    serving = serving_of(cloud_without_rooms)
    endpoint = serving.endpoint(serving.config({"ModelName": serving.model("plain")}))
    assert serving.invoke(endpoint)["model"] == {"answer.txt": "plain"}
