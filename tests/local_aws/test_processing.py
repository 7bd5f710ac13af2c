"""Processing jobs through boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


def given(scripts: Any, **source: str) -> dict[str, Any]:
    """A processing input; `source` replaces members of its S3Input."""
    described = {"S3Uri": f"s3://{scripts.bucket}/x/", "LocalPath": "/opt/ml/processing/x", "S3DataType": "S3Prefix"}
    return {"InputName": "data", "S3Input": {**described, "S3InputMode": "File", **source}}


def kept(scripts: Any, **target: str) -> dict[str, Any]:
    """A ProcessingOutputConfig of one output; `target` replaces members of its S3Output."""
    described = {"S3Uri": f"s3://{scripts.bucket}/out", "LocalPath": "/opt/ml/processing/out"}
    return {"Outputs": [{"OutputName": "out", "S3Output": {**described, "S3UploadMode": "EndOfJob", **target}}]}


def without(path: str, item: dict[str, Any]) -> dict[str, Any]:
    """An input or output whose S3 part has no LocalPath."""
    return {**item, path: {key: value for key, value in item[path].items() if key != "LocalPath"}}


def refusal(scripts: Any, **changes: Any) -> str:
    with pytest.raises(ClientError) as caught:
        scripts.process("", **changes)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "/opt/ml/processingfoo",
        "/opt/ml/processing/../../../../tmp/x",
        "/opt/ml/processing/..",
        "opt/ml/processing/x",
    ],
)
def test_a_path_that_leaves_opt_ml_processing_is_refused(scripts: Any, path: str) -> None:
    told = f"must be /opt/ml/processing or lie below it, without '..'; it is {path}"
    assert told in refusal(scripts, ProcessingInputs=[given(scripts, LocalPath=path)])
    assert told in refusal(scripts, ProcessingOutputConfig=kept(scripts, LocalPath=path))


def test_what_the_documentation_says_is_not_carried_out_is_refused(scripts: Any) -> None:
    for change, told in (
        ({"S3DataType": "ManifestFile"}, "S3DataType ManifestFile is not carried out here; use S3Prefix"),
        ({"S3InputMode": "Pipe"}, "S3InputMode Pipe is not carried out here; use File"),
    ):
        assert told in refusal(scripts, ProcessingInputs=[given(scripts, **change)])
    continuous = kept(scripts, S3UploadMode="Continuous")
    assert "S3UploadMode Continuous is not carried out here; use EndOfJob" in refusal(
        scripts, ProcessingOutputConfig=continuous
    )
    features = {"Outputs": [{"OutputName": "out", "FeatureStoreOutput": {"FeatureGroupName": "g"}}]}
    assert "out: only S3Output is carried out here" in refusal(scripts, ProcessingOutputConfig=features)


def test_an_input_or_output_without_its_path_in_the_container_is_refused(scripts: Any) -> None:
    pathless = without("S3Input", given(scripts))
    assert "data: its S3Input needs a LocalPath" in refusal(scripts, ProcessingInputs=[pathless])
    pathless = {"Outputs": [without("S3Output", item) for item in kept(scripts)["Outputs"]]}
    assert "out: its S3Output needs a LocalPath" in refusal(scripts, ProcessingOutputConfig=pathless)


def test_an_address_that_is_not_of_s3_is_refused(scripts: Any) -> None:
    uri = "https://bucket.example/x"
    told = f"must be s3:// and a bucket; it is {uri}"
    assert told in refusal(scripts, ProcessingInputs=[given(scripts, S3Uri=uri)])
    assert told in refusal(scripts, ProcessingOutputConfig=kept(scripts, S3Uri=uri))


def test_an_image_without_an_entry_point_needs_one_in_the_request(scripts: Any) -> None:
    told = refusal(scripts, AppSpecification={"ImageUri": SKLEARN_IMAGE, "ContainerArguments": ["--rows", "3"]})
    assert "has no entry point: give ContainerEntrypoint" in told


def test_an_entry_point_that_leaves_the_container_is_not_followed(scripts: Any) -> None:
    outside = ["python3", "/opt/ml/../../nowhere.py"]
    described = scripts.process("", AppSpecification={"ImageUri": SKLEARN_IMAGE, "ContainerEntrypoint": outside})
    assert described["ProcessingJobStatus"] == "Failed"
    assert "AlgorithmError" in described["FailureReason"]


def test_a_key_that_is_both_a_file_and_a_folder_fails_the_job_and_is_named(scripts: Any) -> None:
    for key in ("x/conf/a", "x/conf/a/b"):
        scripts.s3.put_object(Bucket=scripts.bucket, Key=key, Body=b"1")
    described = scripts.process("", ProcessingInputs=[given(scripts)])
    assert described["ProcessingJobStatus"] == "Failed"
    assert "Data download failed" in described["FailureReason"]
    assert "'x/conf/a/b' needs a folder where another key or input has a file" in described["FailureReason"]


def test_an_object_that_is_no_gzip_fails_the_job_and_is_named(scripts: Any) -> None:
    scripts.s3.put_object(Bucket=scripts.bucket, Key="x/rows.gz", Body=b"1")
    described = scripts.process("", ProcessingInputs=[given(scripts, S3CompressionType="Gzip")])
    assert "Data download failed: the key 'x/rows.gz': Not a gzipped file" in described["FailureReason"]


def test_a_script_that_raises_fails_the_job_with_its_last_line(scripts: Any) -> None:
    described = scripts.process("raise ValueError('two classes are needed')")
    assert described["ProcessingJobStatus"] == "Failed"
    assert "ValueError: two classes are needed" in described["FailureReason"]


def test_the_exit_message_is_what_the_script_left_for_it(scripts: Any) -> None:
    described = scripts.process(
        "import sys; open('/opt/ml/output/message', 'w').write('column x is missing'); sys.exit(4)"
    )
    assert described["ExitMessage"] == "column x is missing"
    assert "column x is missing" in described["FailureReason"]


def test_outputs_go_to_s3_and_the_configuration_is_there_to_read(scripts: Any) -> None:
    script = """
import json, os, pathlib, sys
config = pathlib.Path("/opt/ml/config")
told = {
    "arguments": sys.argv[1:],
    "job": json.loads((config / "processingjobconfig.json").read_text())["ProcessingJobName"],
    "hosts": json.loads((config / "resourceconfig.json").read_text())["hosts"],
    "mine": os.environ["MINE"],
}
pathlib.Path("/opt/ml/processing/out/deep").mkdir()
pathlib.Path("/opt/ml/processing/out/deep/told.json").write_text(json.dumps(told))
"""
    described = scripts.process(script, ["--rows", "3"], Environment={"MINE": "yes"})
    assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
    told = json.loads(scripts.text(f"s3://{scripts.bucket}/{described['ProcessingJobName']}/out/deep/told.json"))
    assert told == {
        "arguments": ["--rows", "3"],
        "job": described["ProcessingJobName"],
        "hosts": ["algo-1"],
        "mine": "yes",
    }


def test_the_longest_run_time_is_enforced(scripts: Any) -> None:
    described = scripts.process("import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert described["ProcessingJobStatus"] == "Stopped"
