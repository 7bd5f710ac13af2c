"""Processing jobs through boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_a_path_outside_of_opt_ml_processing_is_refused(scripts: Any) -> None:
    bad = {
        "InputName": "data",
        "S3Input": {
            "S3Uri": f"s3://{scripts.bucket}/x",
            "LocalPath": "/etc",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }
    with pytest.raises(ClientError, match="LocalPath /etc of data must begin with /opt/ml/processing"):
        scripts.process("", ProcessingInputs=[bad])


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
