"""Data capture: the layout in S3 and the JSON lines that SageMaker's own monitors read."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

_KEY = re.compile(
    r"(?P<prefix>.*?)/?(?P<endpoint>endpoint-\w+)/(?P<variant>[\w-]+)/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"
)


def capturing(serving: Any, prefix: str, percentage: int = 100, mode: str = "InputAndOutput", **more: Any) -> str:
    """An endpoint that captures to a prefix of the tests' bucket."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": f"s3://{serving.bucket}/{prefix}",
        "CaptureOptions": [{"CaptureMode": mode}]
        if mode != "both"
        else [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        **more,
    }
    return serving.endpoint(serving.config({"ModelName": serving.model("seen")}, DataCaptureConfig=capture))


def captured(serving: Any, prefix: str, count: int, seconds: float = 20) -> list[tuple[str, dict[str, Any]]]:
    """(key, record) of all that lies under a prefix, once there are `count`."""
    deadline = time.monotonic() + seconds
    while True:
        found = []
        for item in serving.s3.list_objects_v2(Bucket=serving.bucket, Prefix=prefix).get("Contents", []):
            body = serving.s3.get_object(Bucket=serving.bucket, Key=item["Key"])["Body"].read().decode()
            found += [(item["Key"], json.loads(line)) for line in body.splitlines()]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_a_call_is_captured_in_sagemakers_layout_and_form(serving: Any) -> None:
    types = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
    endpoint = capturing(serving, "full", CaptureContentTypeHeader=types)
    serving.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"5.1,3.5", ContentType="text/csv; charset=utf-8", InferenceId="call-1"
    )
    [(key, record)] = captured(serving, "full/", 1)
    match = _KEY.fullmatch(key)
    assert match
    assert (match["prefix"], match["endpoint"], match["variant"]) == ("full", endpoint, "AllTraffic")
    assert record["eventVersion"] == "0"
    assert record["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv; charset=utf-8",
        "mode": "INPUT",
        "data": "5.1,3.5",
        "encoding": "CSV",
    }
    output = record["captureData"]["endpointOutput"]
    assert (output["observedContentType"], output["mode"], output["encoding"]) == ("application/json", "OUTPUT", "JSON")
    assert json.loads(output["data"])["length"] == 7
    metadata = record["eventMetadata"]
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["eventId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["inferenceTime"])
    assert metadata["inferenceId"] == "call-1"
    summary = serving.sagemaker.describe_endpoint(EndpointName=endpoint)["DataCaptureConfig"]
    assert (summary["CaptureStatus"], summary["CurrentSamplingPercentage"]) == ("Started", 100)


def test_without_content_type_headers_bodies_are_captured_in_base64(serving: Any) -> None:
    endpoint = capturing(serving, "base64", mode="Input")
    serving.invoke(endpoint, b"\x00\xff", ContentType="text/csv")
    [(_, record)] = captured(serving, "base64/", 1)
    assert set(record["captureData"]) == {"endpointInput"}
    assert record["captureData"]["endpointInput"]["encoding"] == "BASE64"
    assert base64.b64decode(record["captureData"]["endpointInput"]["data"]) == b"\x00\xff"


def test_a_share_of_the_calls_is_captured_and_all_of_it_is_there_when_the_endpoint_is_deleted(serving: Any) -> None:
    endpoint = capturing(serving, "share", percentage=50)
    for _ in range(200):
        serving.invoke(endpoint)
    serving.sagemaker.delete_endpoint(EndpointName=endpoint)
    found = captured(serving, "share/", 10_000, seconds=0)
    assert 50 < len(found) < 150
    assert len({record["eventMetadata"]["eventId"] for _, record in found}) == len(found)


def test_nothing_is_captured_at_zero_percent_or_when_switched_off(serving: Any) -> None:
    for prefix, more in (("zero", {"percentage": 0}), ("off", {"EnableCapture": False})):
        endpoint = capturing(serving, prefix, **more)
        serving.invoke(endpoint)
        serving.sagemaker.delete_endpoint(EndpointName=endpoint)
        assert captured(serving, f"{prefix}/", 1, seconds=0) == []


def test_what_was_captured_when_the_cloud_was_killed_is_in_s3_after_its_next_start(
    restartable: Callable[[], Any], serving_of: Callable[[Any], Any]
) -> None:
    first = restartable()
    serving = serving_of(first)
    endpoint = capturing(serving, "killed", mode="both")
    serving.invoke(endpoint)
    deadline = time.monotonic() + 20
    spool = first.home / "capture"
    while not captured(serving, "killed/", 1, seconds=0):
        if any(path.exists() and path.stat().st_size for path in spool.rglob("*.jsonl")):
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.process.kill()
    first.process.wait()
    serving.s3 = restartable().client("s3")
    assert len(captured(serving, "killed/", 1)) == 1
