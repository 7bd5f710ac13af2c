"""InvokeEndpoint: what reaches the container, what comes back, and how failures are told apart."""

from __future__ import annotations

import concurrent.futures
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def endpoint(serving: Any) -> str:
    """An endpoint of two variants."""
    variants = [
        {"VariantName": name, "ModelName": serving.model(name), "InitialVariantWeight": 1} for name in ("red", "blue")
    ]
    return serving.endpoint(serving.config(*variants))


def error_of(serving: Any, endpoint: str, **call: Any) -> dict[str, Any]:
    """The error response to a call."""
    with pytest.raises(ClientError) as caught:
        serving.runtime.invoke_endpoint(EndpointName=endpoint, **call)
    return dict(caught.value.response)


def test_a_missing_endpoint_is_told_as_aws_tells_it(serving: Any) -> None:
    response = error_of(serving, "gone", Body=b"{}")
    assert response["Error"]["Code"] == "ValidationError"
    assert response["Error"]["Message"] == "Endpoint gone of account 123456789012 not found."


def test_a_missing_variant_is_named(serving: Any, endpoint: str) -> None:
    response = error_of(serving, endpoint, Body=b"{}", TargetVariant="green")
    assert response["Error"]["Code"] == "ValidationError"
    assert "Variant green" in response["Error"]["Message"]


@pytest.mark.parametrize("status", [400, 415, 500, 503])
def test_a_failing_container_is_a_model_error_with_its_status_and_message(
    serving: Any, endpoint: str, status: int
) -> None:
    response = error_of(serving, endpoint, Body=f"status {status}".encode(), TargetVariant="red")
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert response["OriginalMessage"] == "the container says no"
    assert f"/aws/sagemaker/Endpoints/{endpoint}:log-stream:red/i-" in response["LogStreamArn"]
    side = "client" if status < 500 else "server"
    assert f'Received {side} error ({status}) from primary with message "the container says no"' in str(
        response["Error"]
    )


def test_a_body_over_the_limit_is_refused(serving: Any, endpoint: str) -> None:
    assert serving.invoke(endpoint, b"x" * 6_291_456)["length"] == 6_291_456
    response = error_of(serving, endpoint, Body=b"x" * 6_291_457)
    assert response["Error"]["Code"] == "ValidationError"
    assert "6291456" in response["Error"]["Message"]


def test_calls_that_are_not_carried_out_are_refused_by_name(serving: Any, endpoint: str) -> None:
    assert "TargetModel" in error_of(serving, endpoint, Body=b"{}", TargetModel="a.tar.gz")["Error"]["Message"]
    with pytest.raises(ClientError, match="InvokeEndpointAsync is not carried out"):
        serving.runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation="s3://b/k")
    with pytest.raises(ClientError, match="InvokeEndpointWithResponseStream is not carried out"):
        serving.runtime.invoke_endpoint_with_response_stream(EndpointName=endpoint, Body=b"{}")


def test_a_call_and_its_answer_pass_unchanged(serving: Any, endpoint: str) -> None:
    answer = serving.runtime.invoke_endpoint(
        EndpointName=endpoint,
        Body=b"\x00\xff",
        ContentType="application/x-npy",
        Accept="application/json",
        CustomAttributes="trace=1",
        TargetVariant="blue",
    )
    seen = json.loads(answer["Body"].read())
    assert (seen["length"], seen["content_type"], seen["accept"]) == (2, "application/x-npy", "application/json")
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "blue")
    assert answer["CustomAttributes"] == "seen trace=1"
    csv = serving.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"csv")
    assert (csv["ContentType"], csv["Body"].read()) == ("text/csv; charset=utf-8", b"1,2\n")


def test_both_variants_are_reached_by_their_weights_and_each_by_its_name(serving: Any, endpoint: str) -> None:
    assert {serving.invoke(endpoint)["name"] for _ in range(60)} == {"red", "blue"}
    for variant in ("red", "blue"):
        assert {serving.invoke(endpoint, TargetVariant=variant)["name"] for _ in range(5)} == {variant}


def test_many_calls_at_once_are_all_answered(serving: Any, endpoint: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: serving.invoke(endpoint)["name"], range(200)))
    assert len(answers) == 200
