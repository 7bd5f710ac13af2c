"""Training jobs through boto3: the container contract, the ways in which a job ends, and what is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

GROUP = "/aws/sagemaker/TrainingJobs"


def channel(name: str, uri: str, **source: str) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}}}


def refused(act: Any) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return f"{caught.value.response['Error']['Code']}: {caught.value.response['Error']['Message']}"


def test_an_image_that_nothing_here_can_run_is_refused(scripts: Any) -> None:
    request = scripts.training_request(
        "", AlgorithmSpecification={"TrainingImage": "xgboost:1", "TrainingInputMode": "File"}
    )
    message = refused(lambda: scripts.sagemaker.create_training_job(**request))
    assert message.startswith("ValidationException: Image xgboost:1 cannot be run here")


def test_a_name_that_is_taken_is_refused_with_the_code_of_aws(scripts: Any) -> None:
    name = scripts.train("")["TrainingJobName"]
    request = scripts.training_request("", TrainingJobName=name)
    assert refused(lambda: scripts.sagemaker.create_training_job(**request)).startswith("ResourceInUse:")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"TrainingJobName": "no blanks"}, "trainingJobName"),
        ({"RoleArn": "arn:aws:iam::1:role/r"}, "roleArn"),
        (
            {"ResourceConfig": {"InstanceType": "ml.none", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "resourceConfig.instanceType",
        ),
    ],
)
def test_what_the_service_model_forbids_is_refused_by_member(
    scripts: Any, change: dict[str, Any], complaint: str
) -> None:
    request = scripts.training_request("", **change)
    message = refused(lambda: scripts.sagemaker.create_training_job(**request))
    assert message.startswith("ValidationException:")
    assert f"at '{complaint}'" in message


@pytest.mark.parametrize("name", [".", ".."])
def test_a_channel_whose_name_is_no_folder_is_refused(scripts: Any, name: str) -> None:
    request = scripts.training_request("", InputDataConfig=[channel(name, f"s3://{scripts.bucket}/x/")])
    message = refused(lambda: scripts.sagemaker.create_training_job(**request))
    assert message == f"ValidationException: Channel {name}: the name of a channel must be that of a folder"


def test_a_job_on_no_instance_is_refused(scripts: Any) -> None:
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 0, "VolumeSizeInGB": 1}
    request = scripts.training_request("", ResourceConfig=resources)
    message = refused(lambda: scripts.sagemaker.create_training_job(**request))
    assert message.startswith("ValidationException: ResourceConfig: InstanceCount must be at least 1")


def test_a_cluster_of_several_instance_types_is_refused(scripts: Any) -> None:
    group = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "g"}
    request = scripts.training_request("", ResourceConfig={"InstanceGroups": [group], "VolumeSizeInGB": 1})
    message = refused(lambda: scripts.sagemaker.create_training_job(**request))
    assert message.startswith("ValidationException: ResourceConfig: InstanceGroups are not carried out here")


@pytest.mark.parametrize(
    "change",
    [
        {"InputDataConfig": [channel("train", "https://bucket.example/x")]},
        {"OutputDataConfig": {"S3OutputPath": "https://bucket.example/x"}},
        {"CheckpointConfig": {"S3Uri": "https://bucket.example/x"}},
    ],
)
def test_an_address_that_is_not_of_s3_is_refused(scripts: Any, change: dict[str, Any]) -> None:
    request = scripts.training_request("", **change)
    message = refused(lambda: scripts.sagemaker.create_training_job(**request))
    assert message.startswith("ValidationException:")
    assert message.endswith("must be s3:// and a bucket; it is https://bucket.example/x")


def test_tags_that_are_refused_leave_no_job_behind(scripts: Any) -> None:
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    request = scripts.training_request("", Tags=twice)
    refused(lambda: scripts.sagemaker.create_training_job(**request))
    refused(lambda: scripts.sagemaker.describe_training_job(TrainingJobName=request["TrainingJobName"]))


def test_a_job_that_does_not_exist_is_said_so(scripts: Any) -> None:
    assert refused(lambda: scripts.sagemaker.describe_training_job(TrainingJobName="nowhere")).startswith(
        "ValidationException"
    )
    assert refused(lambda: scripts.sagemaker.stop_training_job(TrainingJobName="nowhere")).startswith(
        "ResourceNotFound"
    )


def test_an_empty_channel_fails_the_job_and_names_its_uri(scripts: Any) -> None:
    uri = f"s3://{scripts.bucket}/nothing/"
    described = scripts.train("", InputDataConfig=[channel("train", uri)])
    assert described["TrainingJobStatus"] == "Failed"
    assert f'No S3 objects found under S3 URL "{uri}"' in described["FailureReason"]


def test_a_missing_bucket_fails_the_job(scripts: Any) -> None:
    described = scripts.train("", InputDataConfig=[channel("train", "s3://there-is-no-such-bucket/x")])
    assert described["FailureReason"].startswith("ClientError: Data download failed")


def test_sources_without_the_script_fail_the_job_and_say_what_they_hold(scripts: Any) -> None:
    uri = scripts.sources(other_py="")
    described = scripts.train("", {"sagemaker_submit_directory": uri})
    assert "the script 'train.py' is not among the sources, which hold other.py" in described["FailureReason"]


def test_the_failure_file_becomes_the_reason(scripts: Any) -> None:
    described = scripts.train("import sys; open('/opt/ml/output/failure', 'w').write('no rows'); sys.exit(7)")
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: no rows, exit code: 7"
    assert "ModelArtifacts" not in described


def test_without_a_failure_file_the_reason_is_exit_code_and_last_line(scripts: Any) -> None:
    described = scripts.train("raise RuntimeError('the well is dry')")
    assert "ExitCode 1" in described["FailureReason"]
    assert "RuntimeError: the well is dry" in described["FailureReason"]


def test_a_killed_script_names_the_signal(scripts: Any) -> None:
    described = scripts.train("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "SIGKILL" in described["FailureReason"]


def test_script_mode_gives_the_script_its_documented_world(scripts: Any) -> None:
    for key in ("data/train/a.csv", "data/train/deep/b.csv", "single.csv"):
        scripts.s3.put_object(Bucket=scripts.bucket, Key=key, Body=key.encode())
    script = """
import json, os, pathlib, sys
ml = pathlib.Path("/opt/ml")
told = {
    "arguments": sys.argv[1:],
    "folder": os.getcwd(),
    "files": sorted(str(p.relative_to(ml / "input/data")) for p in (ml / "input/data").rglob("*") if p.is_file()),
    "config": {p.name: json.loads(p.read_text()) for p in (ml / "input/config").iterdir()},
    "env": {k: v for k, v in os.environ.items() if k.startswith(("SM_", "TRAINING_", "MINE", "AWS_"))},
}
(pathlib.Path(os.environ["SM_MODEL_DIR"]) / "told.json").write_text(json.dumps(told))
(pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"]) / "notes.txt").write_text("beside the model")
"""
    described = scripts.train(
        script,
        {"max-depth": "3", "name": '"quoted"', "k": "1", "_tuning_objective_metric": "accuracy"},
        Environment={"MINE": "yes"},
        InputDataConfig=[
            channel("train", f"s3://{scripts.bucket}/data/train"),
            channel("one", f"s3://{scripts.bucket}/single.csv"),
        ],
    )
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    told = json.loads(scripts.archive(described["ModelArtifacts"]["S3ModelArtifacts"])["told.json"])
    assert told["arguments"] == ["-k", "1", "--max-depth", "3", "--name", "quoted"]
    assert told["files"] == ["one/single.csv", "train/a.csv", "train/deep/b.csv"]
    assert told["config"]["hyperparameters.json"]["max-depth"] == "3"
    assert told["config"]["hyperparameters.json"]["_tuning_objective_metric"] == "accuracy"
    assert told["config"]["resourceconfig.json"]["current_host"] == "algo-1"
    assert set(told["config"]["inputdataconfig.json"]) == {"train", "one"}
    assert told["env"]["MINE"] == "yes"
    assert told["env"]["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert json.loads(told["env"]["SM_HPS"]) == {"max-depth": 3, "name": "quoted", "k": 1}
    assert told["env"]["SM_HP_MAX-DEPTH"] == "3"
    assert json.loads(told["env"]["SM_TRAINING_ENV"])["job_name"] == described["TrainingJobName"]
    assert told["env"]["TRAINING_JOB_NAME"] == described["TrainingJobName"]
    output = described["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar.gz", "output.tar.gz")
    assert scripts.archive(output) == {"notes.txt": "beside the model"}
    assert [step["Status"] for step in described["SecondaryStatusTransitions"]] == [
        "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip


def test_the_log_is_in_cloudwatch_under_sagemakers_names_while_the_job_runs(scripts: Any) -> None:
    request = scripts.training_request("import time\nprint('early')\ntime.sleep(60)")
    scripts.sagemaker.create_training_job(**request)
    name = request["TrainingJobName"]
    deadline = time.monotonic() + 30
    seen = ""
    while "early" not in seen and time.monotonic() < deadline:
        try:
            seen = scripts.log(GROUP, name)
        except ClientError:
            time.sleep(0.1)
    assert seen == "early"
    assert scripts.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress"
    scripts.sagemaker.stop_training_job(TrainingJobName=name)
    assert scripts.trained(name)["TrainingJobStatus"] == "Stopped"


def test_metrics_are_read_from_the_log_by_their_definitions(scripts: Any) -> None:
    algorithm = scripts.training_request("")["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "accuracy", "Regex": "accuracy=([0-9.]+)"}]
    described = scripts.train("print('accuracy=0.5'); print('accuracy=0.75')", AlgorithmSpecification=algorithm)
    assert [(item["MetricName"], item["Value"]) for item in described["FinalMetricDataList"]] == [("accuracy", 0.75)]


def test_stop_is_sigterm_first_and_what_the_script_saves_then_is_kept(scripts: Any) -> None:
    script = """
import os, signal, sys, time
def save(*_):
    open(os.environ["SM_MODEL_DIR"] + "/partial", "w").write("half a model")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("ready")
time.sleep(60)
"""
    request = scripts.training_request(script)
    scripts.sagemaker.create_training_job(**request)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if "ready" in scripts.log(GROUP, request["TrainingJobName"]):
                break
        except ClientError:
            time.sleep(0.1)
    scripts.sagemaker.stop_training_job(TrainingJobName=request["TrainingJobName"])
    described = scripts.trained(request["TrainingJobName"])
    assert described["TrainingJobStatus"] == described["SecondaryStatus"] == "Stopped"
    assert scripts.archive(described["ModelArtifacts"]["S3ModelArtifacts"]) == {"partial": "half a model"}


def test_the_longest_run_time_is_enforced(scripts: Any) -> None:
    described = scripts.train("import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_jobs_at_the_same_time_do_not_see_each_others_opt_ml(scripts: Any) -> None:
    script = """
import pathlib, sys, time
mark = pathlib.Path("/opt/ml/model/mark")
mark.write_text(sys.argv[2])
time.sleep(1)
(mark.parent / "seen").write_text(",".join(sorted(p.name + "=" + p.read_text() for p in mark.parent.iterdir())))
"""
    requests = [scripts.training_request(script, {"who": str(number)}) for number in range(4)]
    for request in requests:
        scripts.sagemaker.create_training_job(**request)
    for number, request in enumerate(requests):
        described = scripts.trained(request["TrainingJobName"])
        assert scripts.archive(described["ModelArtifacts"]["S3ModelArtifacts"])["seen"] == f"mark={number}"


def test_shards_of_a_channel_are_spread_over_the_hosts(scripts: Any) -> None:
    for number in range(4):
        scripts.s3.put_object(Bucket=scripts.bucket, Key=f"shards/{number}.csv", Body=b"x")
    script = """
import os, pathlib
host = os.environ["SM_CURRENT_HOST"]
names = sorted(p.name for p in pathlib.Path("/opt/ml/input/data/train").iterdir())
pathlib.Path("/opt/ml/model", host).write_text(",".join(names))
"""
    described = scripts.train(
        script,
        InputDataConfig=[channel("train", f"s3://{scripts.bucket}/shards/", S3DataDistributionType="ShardedByS3Key")],
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    )
    held = scripts.archive(described["ModelArtifacts"]["S3ModelArtifacts"])
    assert set(held) == {"algo-1", "algo-2"}
    assert sorted(",".join(held.values()).split(",")) == ["0.csv", "1.csv", "2.csv", "3.csv"]


def test_modules_beside_the_script_are_imported_by_every_job_of_a_kind(scripts: Any) -> None:
    for number in range(3):
        uri = scripts.sources(train_py="import beside; print(beside.ANSWER)", beside_py=f"ANSWER = {number}")
        described = scripts.train("", {"sagemaker_submit_directory": uri})
        assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
        assert scripts.log(GROUP, described["TrainingJobName"]) == str(number)


def test_requirements_that_are_there_install_nothing(scripts: Any) -> None:
    uri = scripts.sources(
        train_py="import sys; print(sys.prefix)", requirements_txt="scikit-learn==1.9.0\n# a comment\n"
    )
    described = scripts.train("", {"sagemaker_submit_directory": uri})
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    assert "environments" not in scripts.log(GROUP, described["TrainingJobName"])


def test_requirements_that_cannot_be_had_fail_the_job_with_the_installers_words(scripts: Any) -> None:
    uri = scripts.sources(train_py="", requirements_txt="scikit-learn==0.0.0.1\n")
    described = scripts.train("", {"sagemaker_submit_directory": uri})
    assert described["TrainingJobStatus"] == "Failed"
    assert "scikit-learn==0.0.0.1" in described["FailureReason"]


def test_requirements_that_are_not_there_get_an_environment_beside_the_images(scripts: Any) -> None:
    script = "import six, sklearn, sys; print(six.__version__, sklearn.__version__, sys.prefix)"
    uri = scripts.sources(train_py=script, requirements_txt="six==1.16.0\n")
    described = scripts.train("", {"sagemaker_submit_directory": uri})
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    six, sklearn, prefix = scripts.log(GROUP, described["TrainingJobName"]).split()
    assert (six, sklearn) == ("1.16.0", "1.9.0")
    assert "/environments/" in prefix


SLOW_BACKEND = """
import os, pathlib, time
def build_wheel(*_, **__):
    pathlib.Path(__file__).with_name("pid").write_text(str(os.getpid()))
    time.sleep(300)
"""


def test_an_installer_does_not_outlive_the_server(restartable: Any, scripts_of: Any, tmp_path: Path) -> None:
    cloud = restartable()
    package = tmp_path / "package"
    package.mkdir()
    (package / "slow.py").write_text(SLOW_BACKEND)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1"\n'
    )
    scripts = scripts_of(cloud)
    uri = scripts.sources(train_py="", requirements_txt=f"{package}\n")
    request = scripts.training_request("", {"sagemaker_submit_directory": uri})
    scripts.sagemaker.create_training_job(**request)
    deadline = time.monotonic() + 60
    while not (package / "pid").exists() or not (package / "pid").read_text():
        assert time.monotonic() < deadline, "the installer was not started"
        time.sleep(0.05)
    installer = psutil.Process(int((package / "pid").read_text()))
    cloud.process.kill()
    cloud.process.wait()
    gone, _ = psutil.wait_procs([installer], timeout=20)
    if not gone:
        installer.kill()
    assert gone


def test_lists_filter_sort_and_page(scripts: Any) -> None:
    names = sorted(
        scripts.train("", TrainingJobName=f"listed-{number}-{scripts.bucket[5:]}")["TrainingJobName"]
        for number in range(3)
    )
    asked = {"NameContains": scripts.bucket[5:], "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 2}
    first = scripts.sagemaker.list_training_jobs(**asked)
    second = scripts.sagemaker.list_training_jobs(**asked, NextToken=first["NextToken"])
    found = [item["TrainingJobName"] for page in (first, second) for item in page["TrainingJobSummaries"]]
    assert found == names
    assert "NextToken" not in second
    assert (
        scripts.sagemaker.list_training_jobs(NameContains=names[0], StatusEquals="Failed")["TrainingJobSummaries"] == []
    )
