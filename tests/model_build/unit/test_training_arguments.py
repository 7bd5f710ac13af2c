"""What a training job reads from its arguments and environment, the wrong ones first."""

from pathlib import Path

import pytest
from failure import TrainingError
from lineage import Lineage
from training import Folders, read_training

SOURCE = Path(__file__).resolve().parents[3] / "model-build" / "source"
SERVER = ["--tracking-uri", "http://mlflow.internal:5000"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*SERVER, "--max-depth", "deep"], "argument --max-depth: invalid whole number from 1 value: 'deep'"),
        ([*SERVER, "--max-leaf-nodes", "1"], "argument --max-leaf-nodes: 1 is below 2"),
        ([*SERVER, "--learning-rate", "0.1"], "unrecognized arguments: --learning-rate 0.1"),
        ([*SERVER, "--max", "3"], "ambiguous|unrecognized"),
        ([*SERVER, "--register", "some"], "invalid choice: 'some'"),
        ([*SERVER, "--gate", "recall > 0.9"], "not recall"),
        ([], "No MLflow server is named"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        read_training(arguments, {}, SOURCE)


def test_what_sagemaker_adds_to_a_trial_is_accepted() -> None:
    training = read_training([*SERVER, "--_tuning_objective_metric", "accuracy", "--max-depth", "3"], {}, SOURCE)
    assert training.hyperparameters.max_depth == 3


def test_the_folders_are_those_of_the_platform_when_nothing_names_others() -> None:
    folders = Folders.from_environment({})
    assert folders.train == Path("/opt/ml/input/data/train")
    assert folders.output == Path("/opt/ml/output")
    moved = Folders.from_environment({"SM_OUTPUT_DIR": "/job/output", "SM_CHANNEL_TRAIN": "/job/train"})
    assert (moved.train, moved.output_data) == (Path("/job/train"), Path("/job/output/data"))


def test_a_trial_knows_its_tuning_job_by_its_name() -> None:
    trial = Lineage.from_environment({"TRAINING_JOB_NAME": "pipelines-abc-Tune-x1-003-0a1b2c3d"})
    assert trial.tuning_job == "pipelines-abc-Tune-x1"
    alone = Lineage.from_environment({"SM_TRAINING_ENV": '{"job_name": "my-own-training"}'})
    assert (alone.training_job, alone.tuning_job) == ("my-own-training", "")
