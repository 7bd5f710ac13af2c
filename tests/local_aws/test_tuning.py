"""Tuning jobs through boto3: what is refused, what the training jobs get, and each way in which the search ends."""

from __future__ import annotations

import io
import tarfile
import time
import uuid
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/rehearsal"
PATIENCE = 120

# A stand-in for a training program: a score from its hyperparameters, one line an epoch, and faults on request.
PROGRAM = """
import argparse, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, default=0)
parser.add_argument("--kind", default="good")
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--seconds", type=float, default=0)
given, rest = parser.parse_known_args()
print("rest:", rest)
if given.kind == "broken":
    sys.exit("no such luck")
for epoch in range(1, given.epochs + 1):
    if given.kind != "silent":
        print(f"score={given.rate};", flush=True)
    time.sleep(given.seconds)
"""


def _pack(cloud: Any, program: str) -> str:
    """A program, packed as the training toolkit expects it, in a bucket of its own."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("train.py")
        entry.size = len(program.encode())
        archive.addfile(entry, io.BytesIO(program.encode()))
    bucket = cloud.new_bucket()
    cloud.client("s3").put_object(Bucket=bucket, Key="sourcedir.tar.gz", Body=packed.getvalue())
    return f"s3://{bucket}/sourcedir.tar.gz"


@pytest.fixture(scope="module")
def sources(cloud: Any) -> str:
    return _pack(cloud, PROGRAM)


@pytest.fixture
def request_(sources: str) -> dict[str, Any]:
    """A request that is accepted as it is: Random search of rate, three training jobs."""
    return {
        "HyperParameterTuningJobName": f"t-{uuid.uuid4().hex[:12]}",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "rate", "MinValue": "0", "MaxValue": "1", "ScalingType": "Linear"}
                ]
            },
            "RandomSeed": 7,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": sources},
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+);"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": sources.rpartition("/")[0] + "/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        },
    }


def _set(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy of a request with parts replaced, `Static_seconds` being a static hyperparameter, and so on."""
    changed = deepcopy(request)
    for key, value in changes.items():
        place, _, name = key.partition("_")
        target = {
            "Config": changed["HyperParameterTuningJobConfig"],
            "Definition": changed["TrainingJobDefinition"],
            "Static": changed["TrainingJobDefinition"]["StaticHyperParameters"],
            "Top": changed,
        }[place]
        target[name] = value
    return changed


def _choices(**values: list[str]) -> dict[str, Any]:
    return {"CategoricalParameterRanges": [{"Name": name, "Values": given} for name, given in values.items()]}


def _limits(jobs: int | None, parallel: int, **more: int) -> dict[str, int]:
    return {"MaxParallelTrainingJobs": parallel, **({"MaxNumberOfTrainingJobs": jobs} if jobs else {}), **more}


def _run(cloud: Any, request: dict[str, Any]) -> dict[str, Any]:
    cloud.client("sagemaker").create_hyper_parameter_tuning_job(**request)
    return _ended(cloud, request["HyperParameterTuningJobName"])


def _ended(cloud: Any, name: str) -> dict[str, Any]:
    def over(described: dict[str, Any]) -> bool:
        return described["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping")

    return _until(cloud, name, over)


def _until(cloud: Any, name: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        described = cloud.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if reached(described):
            return described
        assert time.monotonic() < deadline, described
        time.sleep(0.1)


def _trials(cloud: Any, name: str, **how: Any) -> list[dict[str, Any]]:
    return cloud.client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, **how
    )["TrainingJobSummaries"]


RANGE = [{"Name": "rate", "MinValue": "1", "MaxValue": "2"}]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"Config_Strategy": "Grid"}, "categorical hyperparameters only; not categorical: rate"),
        ({"Config_ParameterRanges": {}}, "At least one hyperparameter range"),
        (
            {"Config_ParameterRanges": {"ContinuousParameterRanges": [{**RANGE[0], "MinValue": "3"}]}},
            "must be less than",
        ),
        (
            {
                "Config_ParameterRanges": {
                    "ContinuousParameterRanges": [{**RANGE[0], "MinValue": "0", "ScalingType": "Logarithmic"}]
                }
            },
            "greater than 0",
        ),
        ({"Config_ParameterRanges": {"AutoParameters": [{"Name": "rate", "ValueHint": "1"}]}}, "Autotune"),
        ({"Config_ResourceLimits": _limits(2, 3)}, r"MaxParallelTrainingJobs \(3\) must be less than or equal"),
        ({"Config_ResourceLimits": _limits(None, 1)}, "MaxNumberOfTrainingJobs or MaxRuntimeInSeconds is required"),
        ({"Config_ParameterRanges": _choices(kind=["a", "b"])}, "enough combinations of hyperparameter ranges"),
        (
            {"Config_Strategy": "Grid", "Config_ParameterRanges": _choices(kind=["a", "b"])},
            "runs all 2 combinations",
        ),
        (
            {"Config_HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "loss"}},
            r"'loss' is not among \['score'\]",
        ),
        ({"Static_rate": "0.5"}, "both static and tuned: rate"),
        ({"Config_Strategy": "Hyperband"}, "needs MaxResource"),
        ({"Config_Strategy": "Hyperband", "Static_epochs": "9", "Config_TrainingJobEarlyStoppingType": "Auto"}, "Off"),
        (
            {
                "Config_Strategy": "Hyperband",
                "Config_StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 5, "MaxResource": 2}},
            },
            r"MinResource \(5\)",
        ),
        ({"Config_StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 2}}}, "Hyperband strategy only"),
        ({"Top_TrainingJobDefinitions": [{}]}, "TrainingJobDefinitions"),
        ({"Config_Strategy": "Evolution"}, "enum value set"),
        ({"Config_ResourceLimits": _limits(3, 0)}, "valid min value: 1"),
        ({"Definition_AlgorithmSpecification": {"TrainingInputMode": "File"}}, "metric"),
        (
            {
                "Top_WarmStartConfig": {
                    "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "nobody"}],
                    "WarmStartType": "TransferLearning",
                }
            },
            "nobody does not exist",
        ),
    ],
)
def test_what_aws_would_refuse_is_refused(
    cloud: Any, request_: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    request = _set(request_, **changes)
    with pytest.raises(ClientError, match=says) as refused:
        _unchecked(cloud).create_hyper_parameter_tuning_job(**request)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def _unchecked(cloud: Any) -> Any:
    """A client that sends what it is given, so that it is the cloud that must find the mistake."""
    return boto3.client(
        "sagemaker",
        endpoint_url=cloud.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False, retries={"max_attempts": 1, "mode": "standard"}),
    )


def test_an_image_that_nothing_here_can_run_is_refused_at_once(cloud: Any, request_: dict[str, Any]) -> None:
    request_["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = "nobody/nothing:latest"
    with pytest.raises(ClientError, match="nobody/nothing:latest"):
        cloud.client("sagemaker").create_hyper_parameter_tuning_job(**request_)


def test_a_name_that_is_not_there_is_refused_by_every_operation(cloud: Any) -> None:
    client = cloud.client("sagemaker")
    for operation in (
        client.describe_hyper_parameter_tuning_job,
        client.stop_hyper_parameter_tuning_job,
        client.delete_hyper_parameter_tuning_job,
        client.list_training_jobs_for_hyper_parameter_tuning_job,
    ):
        with pytest.raises(ClientError, match="nobody") as refused:
            operation(HyperParameterTuningJobName="nobody")
        assert refused.value.response["Error"]["Code"] == "ResourceNotFound"


def test_a_tuning_job_runs_its_training_jobs_and_finds_the_best(cloud: Any, request_: dict[str, Any]) -> None:
    client = cloud.client("sagemaker")
    name = request_["HyperParameterTuningJobName"]
    request_["Tags"] = [{"Key": "commit", "Value": "abc"}]
    described = _run(cloud, request_)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert [one.get("FailureReason") for one in _trials(cloud, name)] == [None, None, None]
    assert described["TrainingJobStatusCounters"] == {
        "Completed": 3,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    assert described["ConsumedResources"]["RuntimeInSeconds"] >= 0
    assert described["HyperParameterTuningJobConfig"] == request_["HyperParameterTuningJobConfig"]

    by_score = _trials(cloud, name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    scores = [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for one in by_score]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx([float(one["TunedHyperParameters"]["rate"]) for one in by_score])
    assert described["BestTrainingJob"] == by_score[0]
    assert sorted(one["TrainingJobName"][: len(name) + 4] for one in by_score) == [f"{name}-00{n}" for n in (1, 2, 3)]

    job = client.describe_training_job(TrainingJobName=by_score[0]["TrainingJobName"])
    assert job["TuningJobArn"] == described["HyperParameterTuningJobArn"]
    assert job["HyperParameters"] == {
        **request_["TrainingJobDefinition"]["StaticHyperParameters"],
        **by_score[0]["TunedHyperParameters"],
        "_tuning_objective_metric": "score",
    }
    for arn in (described["HyperParameterTuningJobArn"], job["TrainingJobArn"]):
        assert client.list_tags(ResourceArn=arn)["Tags"] == request_["Tags"]

    listed = client.list_hyper_parameter_tuning_jobs(NameContains=name)["HyperParameterTuningJobSummaries"]
    assert [(one["HyperParameterTuningJobName"], one["Strategy"]) for one in listed] == [(name, "Random")]

    with pytest.raises(ClientError, match="already exists") as refused:
        client.create_hyper_parameter_tuning_job(**request_)
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"
    with pytest.raises(ClientError, match="in status Completed"):
        client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(ClientError, match="can't find"):
        client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    client.describe_training_job(TrainingJobName=by_score[0]["TrainingJobName"])


def test_grid_runs_every_combination_and_a_failed_trial_fails_alone(cloud: Any, request_: dict[str, Any]) -> None:
    request = _set(
        request_,
        Config_Strategy="Grid",
        Config_ResourceLimits=_limits(None, 2),
        Config_ParameterRanges=_choices(kind=["good", "broken"], rate=["0.25", "0.5"]),
    )
    described = _run(cloud, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] == 2
    assert described["TrainingJobStatusCounters"]["Completed"] == 2
    assert described["BestTrainingJob"]["TunedHyperParameters"] == {"kind": "good", "rate": "0.5"}
    listed = _trials(cloud, request["HyperParameterTuningJobName"], StatusEquals="Failed")
    assert all("no such luck" in one["FailureReason"] and one["ObjectiveStatus"] == "Failed" for one in listed)
    ranked = _trials(cloud, request["HyperParameterTuningJobName"], SortBy="FinalObjectiveMetricValue")
    assert len(ranked) == 2


def test_a_tuning_job_fails_when_all_its_training_jobs_do(cloud: Any, request_: dict[str, Any]) -> None:
    described = _run(cloud, _set(request_, Static_kind="broken"))
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("All training jobs failed. Please take a look")
    assert "BestTrainingJob" not in described


def test_a_tuning_job_gives_up_after_five_failures(cloud: Any, request_: dict[str, Any]) -> None:
    described = _run(cloud, _set(request_, Static_kind="broken", Config_ResourceLimits=_limits(50, 2)))
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("No training job succeeded after")
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] <= 6


def test_a_tuning_job_without_any_objective_says_so(cloud: Any, request_: dict[str, Any]) -> None:
    described = _run(cloud, _set(request_, Static_kind="silent", Config_ResourceLimits=_limits(1, 1)))
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert "No objective metrics found after running 1 training jobs" in described["FailureReason"]
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 1}


def test_stop_ends_the_training_jobs_too(cloud: Any, request_: dict[str, Any]) -> None:
    name = request_["HyperParameterTuningJobName"]
    client = cloud.client("sagemaker")
    client.create_hyper_parameter_tuning_job(**_set(request_, Static_seconds="300"))
    _until(cloud, name, lambda described: described["TrainingJobStatusCounters"]["InProgress"] == 2)
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    described = _ended(cloud, name)
    assert described["HyperParameterTuningJobStatus"] == "Stopped"
    assert described["TrainingJobStatusCounters"]["Stopped"] == 2
    assert "FailureReason" not in described


def test_a_target_that_is_reached_completes_the_tuning_job(cloud: Any, request_: dict[str, Any]) -> None:
    request = _set(
        request_,
        Config_TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 0.0},
        Config_ResourceLimits=_limits(50, 1),
    )
    described = _run(cloud, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 1


def test_a_warm_start_of_the_same_data_knows_the_best_of_both(cloud: Any, request_: dict[str, Any]) -> None:
    parent = _set(request_, Config_ResourceLimits=_limits(1, 1), Config_ParameterRanges=_choices(rate=["0.9"]))
    _run(cloud, parent)
    child = _set(
        request_,
        Config_Strategy="Bayesian",
        Config_ResourceLimits=_limits(1, 1),
        Config_ParameterRanges=_choices(rate=["0.1", "0.2"]),
        Top_HyperParameterTuningJobName=f"w-{uuid.uuid4().hex[:12]}",
        Top_WarmStartConfig={
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent["HyperParameterTuningJobName"]}],
            "WarmStartType": "IdenticalDataAndAlgorithm",
        },
    )
    described = _run(cloud, child)
    overall = described["OverallBestTrainingJob"]
    assert overall["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.9
    assert overall["TuningJobName"] == parent["HyperParameterTuningJobName"]
    assert described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] < 0.9

    other = _set(child, Top_HyperParameterTuningJobName=f"w-{uuid.uuid4().hex[:12]}", Static_more="1")
    with pytest.raises(ClientError, match="number of static and tunable hyperparameters"):
        cloud.client("sagemaker").create_hyper_parameter_tuning_job(**other)


def test_hyperband_stops_training_jobs_by_their_intermediate_values(cloud: Any, request_: dict[str, Any]) -> None:
    request = _set(
        request_,
        Config_Strategy="Hyperband",
        Config_StrategyConfig={"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 3}},
        Config_ResourceLimits=_limits(2, 2),
        Static_epochs="1000",
        Static_seconds="0.3",
    )
    described = _run(cloud, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Stopped"] == 2
    assert described["ObjectiveStatusCounters"]["Succeeded"] == 2
    assert described["BestTrainingJob"]["TrainingJobStatus"] == "Stopped"


def test_early_stopping_ends_a_training_job_that_is_worse_than_the_others(cloud: Any, request_: dict[str, Any]) -> None:
    request = _set(
        request_,
        Config_Strategy="Grid",
        Config_TrainingJobEarlyStoppingType="Auto",
        Config_ResourceLimits=_limits(None, 1),
        Config_ParameterRanges=_choices(rate=["0.9", "0.8", "0.7", "0.1"]),
        Static_epochs="2",
        Static_seconds="1",
    )
    described = _run(cloud, request)
    assert described["TrainingJobStatusCounters"]["Completed"] == 3
    assert described["TrainingJobStatusCounters"]["Stopped"] == 1
    (stopped,) = _trials(cloud, request["HyperParameterTuningJobName"], StatusEquals="Stopped")
    assert stopped["TunedHyperParameters"] == {"rate": "0.1"}
    assert stopped["ObjectiveStatus"] == "Succeeded"


def test_several_definitions_are_tuned_side_by_side(cloud: Any, request_: dict[str, Any]) -> None:
    definition = request_.pop("TrainingJobDefinition")
    config = request_["HyperParameterTuningJobConfig"]
    ranges, objective = config.pop("ParameterRanges"), config.pop("HyperParameterTuningJobObjective")
    request_["TrainingJobDefinitions"] = [
        {**definition, "DefinitionName": name, "TuningObjective": objective, "HyperParameterRanges": ranges}
        for name in ("left", "right")
    ]
    described = _run(cloud, request_)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    names = [one["TrainingJobDefinitionName"] for one in _trials(cloud, request_["HyperParameterTuningJobName"])]
    assert names == ["left", "right", "left"]
    assert described["BestTrainingJob"]["TrainingJobDefinitionName"] in names


def test_a_cloud_that_ended_while_tuning_says_so_when_it_is_up_again(
    restartable: Callable[[], Any], request_: dict[str, Any]
) -> None:
    first = restartable()
    definition = request_["TrainingJobDefinition"]
    definition["StaticHyperParameters"]["sagemaker_submit_directory"] = _pack(first, "import time; time.sleep(300)")
    first.client("sagemaker").create_hyper_parameter_tuning_job(**request_)
    name = request_["HyperParameterTuningJobName"]
    _until(first, name, lambda described: described["TrainingJobStatusCounters"]["InProgress"] == 2)
    first.process.kill()
    first.process.wait()
    second = restartable()
    described = _ended(second, name)
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert "local-aws ended" in described["FailureReason"]
    assert described["TrainingJobStatusCounters"]["InProgress"] == 0
