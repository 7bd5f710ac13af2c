"""The sagemaker SDK, unmodified, against the local cloud: a plain `ModelTrainer` training job with its own drivers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, SourceCode
from sagemaker.train import ModelTrainer

image, role, bucket, sources = sys.argv[1:]
trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=sources, entry_script="train.py", requirements="requirements.txt"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/out"),
    hyperparameters={"max-depth": 3},
    base_job_name="plain",
    role=role,
    sagemaker_session=Session(default_bucket=bucket),
)
trainer.train(
    input_data_config=[InputData(channel_name="train", data_source=f"s3://{bucket}/data/")], wait=True, logs=True
)
job = trainer._latest_training_job
print("STATUS", job.training_job_status, job.model_artifacts.s3_model_artifacts)
"""


def test_a_plain_model_trainer_runs_its_drivers_and_shows_the_log(cloud: Any, scripts: Any, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "train.py").write_text(
        "import os, sys, pathlib\n"
        "print('arguments', sys.argv[1:], os.listdir(os.environ['SM_CHANNEL_TRAIN']))\n"
        "pathlib.Path(os.environ['SM_MODEL_DIR'], 'm').write_text('trained')\n"
    )
    (sources / "requirements.txt").write_text("scikit-learn==1.9.0\n")
    scripts.s3.put_object(Bucket=scripts.bucket, Key="data/a.csv", Body=b"1")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam, name = cloud.client("iam"), f"role-{scripts.bucket}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    # The SDK simulates what a training job may need, network interfaces included, before it starts one.
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=policy(everything))
    (tmp_path / "run.py").write_text(SCRIPT)
    config = tmp_path / "config.yaml"
    config.write_text("SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n")
    told = subprocess.run(
        [
            sys.executable,
            tmp_path / "run.py",
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
            role,
            scripts.bucket,
            sources,
        ],
        env={**cloud.environment, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    assert "arguments ['--max-depth', '3'] ['a.csv']" in told.stdout + told.stderr
    status, artifact = told.stdout.split("STATUS ")[1].split()
    assert status == "Completed"
    assert scripts.archive(artifact) == {"m": "trained"}


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
