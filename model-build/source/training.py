"""What one training job is asked to do: its arguments (hyperparameters) and its environment, read once.
All values arrive as text; an argument nobody knows is an error, not something to drop."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from evaluation import SELECTION_METRICS
from failure import TrainingError
from gate import Gate, load_gate
from lineage import Lineage
from registry import Policy


@dataclass(frozen=True)
class Hyperparameters:
    """What is set of the decision tree (names and meaning as in scikit-learn's DecisionTreeClassifier)."""

    max_depth: int
    max_leaf_nodes: int
    min_samples_leaf: int


@dataclass(frozen=True)
class Folders:
    """Where the job reads its channels and leaves its model and other output."""

    train: Path
    validation: Path
    test: Path
    model: Path
    output: Path
    output_data: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Folders":
        """Read the SM_* variables of the SageMaker training toolkit; without them its documented folders.

        https://docs.aws.amazon.com/sagemaker/latest/dg/docker-container-environmental-variables-user-scripts.html
        """

        def folder(variable: str, default: str) -> Path:
            return Path(environment.get(variable) or default)

        output = folder("SM_OUTPUT_DIR", "/opt/ml/output")
        return cls(
            train=folder("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"),
            validation=folder("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation"),
            test=folder("SM_CHANNEL_TEST", "/opt/ml/input/data/test"),
            model=folder("SM_MODEL_DIR", "/opt/ml/model"),
            output=output,
            output_data=folder("SM_OUTPUT_DATA_DIR", str(output / "data")),
        )


@dataclass(frozen=True)
class Training:
    """One training job. `search` says which ranges its tuning job searches, `data_source` where its data came from."""

    hyperparameters: Hyperparameters
    seed: int
    tracking_uri: str
    experiment: str
    model_name: str
    gate: Gate
    policy: Policy
    search: str
    data_source: str
    folders: Folders
    lineage: Lineage


def read_training(arguments: Sequence[str], environment: Mapping[str, str], code: Path) -> Training:
    """Read a training job from its arguments and environment; `code` is the folder that may hold the gate's file.

    Raises TrainingError naming the argument that is wrong.
    """
    given = _parser().parse_args(list(arguments))
    tracking_uri = given.tracking_uri or environment.get("MLFLOW_TRACKING_URI", "")
    if not tracking_uri:
        raise TrainingError("No MLflow server is named: give --tracking-uri or MLFLOW_TRACKING_URI.")
    folders = Folders.from_environment(environment)
    return Training(
        hyperparameters=Hyperparameters(given.max_depth, given.max_leaf_nodes, given.min_samples_leaf),
        seed=given.seed,
        tracking_uri=tracking_uri,
        experiment=given.experiment,
        model_name=given.model_name,
        gate=load_gate(given.gate, code, SELECTION_METRICS),
        policy=Policy(given.register),
        search=given.search,
        data_source=given.data_source or str(folders.train.parent),
        folders=folders,
        lineage=Lineage.from_environment(environment),
    )


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TrainingError(f"The training job's arguments are wrong: {message}.")


def _parser() -> argparse.ArgumentParser:
    parser = _Arguments(prog="train.py", description="Train, evaluate, log and register a decision tree.")
    parser.add_argument("--max-depth", type=_AtLeast(1), default=3)
    parser.add_argument("--max-leaf-nodes", type=_AtLeast(2), default=8)
    parser.add_argument("--min-samples-leaf", type=_AtLeast(1), default=1)
    parser.add_argument("--seed", type=_AtLeast(0), default=42)
    parser.add_argument("--tracking-uri", default="", help="MLflow server (default: MLFLOW_TRACKING_URI)")
    parser.add_argument("--experiment", default="iris", help="MLflow experiment, made if it does not exist")
    parser.add_argument("--model-name", default="iris", help="registered model")
    parser.add_argument("--gate", default="gate.yaml", help="file beside train.py, or text such as 'accuracy > 0.9'")
    parser.add_argument("--register", choices=[policy.value for policy in Policy], default=Policy.EVERY.value)
    parser.add_argument("--search", default="", help="what the tuning job searches, in any words")
    parser.add_argument("--data-source", default="", help="where the splits came from, for the record")
    # SageMaker adds this to the trials of a tuning job; the toolkit may pass it on.
    parser.add_argument("--_tuning_objective_metric", default="", help=argparse.SUPPRESS)
    return parser


class _AtLeast:
    def __init__(self, least: int) -> None:
        self.least = least

    def __call__(self, text: str) -> int:
        number = int(text)
        if number < self.least:
            raise argparse.ArgumentTypeError(f"{text} is below {self.least}")
        return number

    def __repr__(self) -> str:
        return f"whole number from {self.least}"
