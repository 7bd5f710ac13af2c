"""The sagemaker SDK, unmodified, against the local cloud: nothing of it knows a local cloud.

A `ModelTrainer` job with its own drivers, and a pipeline that it wrote, upserted, started and waited for. Both are run
by one process, as importing the SDK takes longer than either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/rehearsal"

RUN = """
import json, runpy, sys, traceback
for path, *arguments in json.loads(sys.argv[1]):
    print("SCRIPT", path, flush=True)
    sys.argv = [path, *arguments]
    try:
        runpy.run_path(path)
    except BaseException:
        print(traceback.format_exc(), flush=True)
"""

TRAINER = """
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

PIPELINE = """
import os
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"
import json, sys
from sagemaker.core.parameter import IntegerParameter
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
from sagemaker.core.workflow.conditions import ConditionGreaterThan, ConditionOr, ConditionEquals
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import SageMakerJobExceptionTypeEnum, SageMakerJobStepRetryPolicy
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TuningStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train.tuner import HyperparameterTuner

image, role, bucket, sources = sys.argv[1:]
session = PipelineSession(default_bucket=bucket)
threshold = ParameterFloat("Threshold", 0.9)
seed = ParameterInteger("Seed", 1)
who = ParameterString("Who", "iris", enum_values=["iris", "rose"])
deepest = ParameterInteger("Deepest", 4)


def processor(code, **environment):
    return Processor(
        role=role, image_uri=image, entrypoint=["python3", "-c", code], instance_count=1,
        instance_type="ml.m5.large", env=environment, sagemaker_session=session,
    )


prepared = ProcessingOutput(
    output_name="data",
    s3_output=ProcessingS3Output(
        s3_uri=Join(on="/", values=[f"s3://{bucket}", ExecutionVariables.PIPELINE_EXECUTION_ID, "data"]),
        local_path="/opt/ml/processing/data", s3_upload_mode="EndOfJob",
    ),
)
write = "import json, os; json.dump({'score': {'value': 0.95, 'of': os.environ['WHO']}}, open('%s', 'w'))"
file = PropertyFile(name="score", output_name="data", path="score.json")
prepare = ProcessingStep(
    "Prepare",
    step_args=processor(write % "/opt/ml/processing/data/score.json", WHO=who, SEED=seed.to_string()).run(
        outputs=[prepared]
    ),
    property_files=[file],
    cache_config=CacheConfig(enable_caching=True, expire_after="p1d"),
    retry_policies=[
        SageMakerJobStepRetryPolicy(exception_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR], max_attempts=2)
    ],
)
trainer = ModelTrainer(
    training_image=image, role=role, sagemaker_session=session, base_job_name="tree",
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=300),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/training"),
    hyperparameters={
        "sagemaker_program": "train.py", "sagemaker_submit_directory": sources,
        "sagemaker_region": "us-east-1", "seed": seed.to_string(),
    },
)
tuner = HyperparameterTuner(
    model_trainer=trainer, objective_metric_name="accuracy", objective_type="Maximize",
    hyperparameter_ranges={"depth": IntegerParameter(1, deepest)},
    metric_definitions=[{"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}],
    strategy="Random", max_jobs=2, max_parallel_jobs=2, random_seed=seed,
)
channel = prepare.properties.ProcessingOutputConfig.Outputs["data"].S3Output.S3Uri
tune = TuningStep(
    "Tune", step_args=tuner.tune([InputData(channel_name="train", data_source=channel)]),
    cache_config=CacheConfig(enable_caching=True, expire_after="T12H"),
)
report = ProcessingStep(
    "Report",
    step_args=processor(
        "import os; print('BEST', os.environ['BEST'], os.environ['MODEL'])",
        BEST=tune.properties.BestTrainingJob.TrainingJobName,
        MODEL=tune.get_top_model_s3_uri(top_k=0, s3_bucket=bucket, prefix="training"),
    ).run(),
)
score = JsonGet(step_name="Prepare", property_file=file, json_path="score.value")
gate = ConditionStep(
    "Gate",
    conditions=[ConditionOr([ConditionGreaterThan(score, threshold), ConditionEquals(who, "rose")])],
    if_steps=[report],
    else_steps=[FailStep("TooLow", error_message=Join(on=" ", values=["below", threshold]))],
    depends_on=[tune],
)
pipeline = Pipeline(
    "sdk-pipeline", parameters=[threshold, seed, who, deepest], steps=[prepare, tune, gate], sagemaker_session=session
)
pipeline.upsert(role_arn=role)
pipeline.upsert(role_arn=role, description="again")
results = []
for parameters in ({}, {"Threshold": 0.99}):
    execution = pipeline.start(parameters=parameters)
    try:
        execution.wait(delay=1, max_attempts=120)
    except Exception as error:
        print("WAIT", error)
    steps = {step["StepName"]: step for step in execution.list_steps()}
    results.append({"status": execution.describe()["PipelineExecutionStatus"], "steps": steps})
print("RESULTS", json.dumps(results, default=str))
"""

TRAIN = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
known, _ = parser.parse_known_args()
assert os.listdir(os.environ["SM_CHANNEL_TRAIN"]) == ["score.json"]
print(f"accuracy={known.depth / 10}")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(str(known.depth))
"""


@dataclass(frozen=True)
class Sdk:
    """What each script said, by its name, and where to look for what it made."""

    said: dict[str, str]
    scripts: Any


@pytest.fixture(scope="module")
def sdk(cloud: Any, scripts_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    folder, scripts = tmp_path_factory.mktemp("sdk"), scripts_of(cloud)
    sources = folder / "sources"
    sources.mkdir()
    (sources / "train.py").write_text(
        "import os, sys, pathlib\n"
        "print('arguments', sys.argv[1:], os.listdir(os.environ['SM_CHANNEL_TRAIN']))\n"
        "pathlib.Path(os.environ['SM_MODEL_DIR'], 'm').write_text('trained')\n"
    )
    (sources / "requirements.txt").write_text("scikit-learn==1.9.0\n")
    scripts.s3.put_object(Bucket=scripts.bucket, Key="data/a.csv", Body=b"1")
    for name, text in {"run.py": RUN, "trainer.py": TRAINER, "pipeline.py": PIPELINE}.items():
        (folder / name).write_text(text)
    config = folder / "config.yaml"
    config.write_text("SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n")
    trainer = ["trainer.py", IMAGE, trainers_role(cloud, f"role-{scripts.bucket}"), scripts.bucket, str(sources)]
    pipeline = ["pipeline.py", IMAGE, ROLE, scripts.bucket, scripts.sources(train_py=TRAIN)]
    done = subprocess.run(
        [sys.executable, "run.py", json.dumps([trainer, pipeline])],
        cwd=folder,
        env={**cloud.environment, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    parts = [part.partition("\n") for part in done.stdout.split("SCRIPT ")[1:]]
    return Sdk({name: said for name, _, said in parts}, scripts)


def trainers_role(cloud: Any, name: str) -> str:
    """A role for a training job: the SDK simulates all that one may need, network interfaces included."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=policy(everything))
    return str(role)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_plain_model_trainer_runs_its_drivers_and_shows_the_log(sdk: Sdk) -> None:
    said = sdk.said["trainer.py"]
    assert "STATUS " in said, said[-3000:]
    assert "arguments ['--max-depth', '3'] ['a.csv']" in said
    status, artifact = said.rpartition("STATUS ")[2].splitlines()[0].split()
    assert status == "Completed"
    assert sdk.scripts.archive(artifact) == {"m": "trained"}


def test_a_pipeline_of_the_sdk_runs_and_its_second_execution_reuses_the_first(sdk: Sdk) -> None:
    assert "RESULTS " in sdk.said["pipeline.py"], sdk.said["pipeline.py"][-3000:]
    first, second = json.loads(sdk.said["pipeline.py"].rpartition("RESULTS ")[2].splitlines()[0])
    assert first["status"] == "Succeeded", first
    assert set(first["steps"]) == {"Prepare", "Tune", "Gate", "Report"}
    tuning = first["steps"]["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    assert len(tuning) <= 32
    best = sdk.scripts.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning)
    name = best["BestTrainingJob"]["TrainingJobName"]
    job = first["steps"]["Report"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    said = sdk.scripts.log("/aws/sagemaker/ProcessingJobs", job)
    model = f"s3://{sdk.scripts.bucket}/training/{name}/output/model.tar.gz"
    assert f"BEST {name} {model}" in said
    depth = sdk.scripts.archive(model)["model.txt"]
    assert float(depth) / 10 == best["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert second["status"] == "Failed"
    assert second["steps"]["TooLow"]["FailureReason"] == "below 0.99"
    for step in ("Prepare", "Tune"):
        assert "CacheHitResult" not in first["steps"][step]
        assert second["steps"][step]["CacheHitResult"]["SourcePipelineExecutionArn"].endswith(
            first["steps"]["Prepare"]["Metadata"]["ProcessingJob"]["Arn"].split("pipelines-")[1].split("-")[0]
        )
