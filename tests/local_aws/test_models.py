"""Models: what CreateModel refuses, and what a model is afterwards."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/rehearsal"


def refusal(serving: Any, **request: Any) -> str:
    """The message with which CreateModel refuses a request."""
    with pytest.raises(ClientError) as caught:
        serving.sagemaker.create_model(ModelName=f"model-{uuid.uuid4().hex[:10]}", ExecutionRoleArn=ROLE, **request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return caught.value.response["Error"]["Message"]


def test_an_image_that_nothing_here_can_run_is_refused_with_those_that_can_be(serving: Any) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/unknown:latest"
    message = refusal(serving, PrimaryContainer={"Image": image})
    assert image in message
    assert serving.image in message
    assert "local-aws build-image" in message


def test_a_prebuilt_scikit_learn_image_is_refused_for_serving(serving: Any) -> None:
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
    assert "cannot serve here" in refusal(serving, PrimaryContainer={"Image": image})


def test_model_data_that_is_not_in_s3_is_refused_when_the_model_is_made(serving: Any) -> None:
    uri = f"s3://{serving.bucket}/nothing/model.tar.gz"
    assert refusal(serving, PrimaryContainer={"Image": serving.image, "ModelDataUrl": uri}) == (
        f"Could not find model data at {uri}."
    )
    elsewhere = "s3://no-such-bucket-anywhere/model.tar.gz"
    assert "no-such-bucket" in refusal(serving, PrimaryContainer={"Image": serving.image, "ModelDataUrl": elsewhere})


def test_containers_that_are_not_carried_out_are_refused(serving: Any) -> None:
    one = {"Image": serving.image}
    assert "one container" in refusal(serving, Containers=[one, one])
    assert "only provide one of" in refusal(serving, PrimaryContainer=one, Containers=[one])
    assert "MultiModel" in refusal(serving, PrimaryContainer={**one, "Mode": "MultiModel"})
    assert "Image or ModelPackageName" in refusal(serving, PrimaryContainer={"Environment": {}})


def test_a_name_that_breaks_the_pattern_is_refused(serving: Any) -> None:
    with pytest.raises(ClientError, match="failed to satisfy constraint"):
        serving.sagemaker.create_model(ModelName="under_score", PrimaryContainer={"Image": serving.image})


def test_a_model_is_described_listed_tagged_and_deleted(serving: Any) -> None:
    name = f"model-{uuid.uuid4().hex[:10]}"
    container = {"Image": serving.image, "ModelDataUrl": serving.archive(a_txt="a"), "Environment": {"A": "b"}}
    arn = serving.sagemaker.create_model(
        ModelName=name, Containers=[container], ExecutionRoleArn=ROLE, Tags=[{"Key": "stage", "Value": "test"}]
    )["ModelArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:model/{name}"
    described = serving.sagemaker.describe_model(ModelName=name)
    assert described["Containers"] == [{**container, "Mode": "SingleModel"}]
    assert serving.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]
    assert [row["ModelName"] for row in serving.sagemaker.list_models(NameContains=name)["Models"]] == [name]
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        serving.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": serving.image})
    serving.sagemaker.delete_model(ModelName=name)
    with pytest.raises(ClientError, match=f'Could not find model "{arn}"'):
        serving.sagemaker.describe_model(ModelName=name)
