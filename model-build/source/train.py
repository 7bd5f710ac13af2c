"""The training job: fit a decision tree, evaluate it, log it to MLflow, and register it if it passes the gate.
SageMaker's script mode runs it with the hyperparameters as arguments and the channels in SM_CHANNEL_* variables."""

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import no_garbage  # noqa: F401 (first of all, for what it does)
from evaluation import draw_confusion_matrix, selection_metrics, test_metrics
from failure import TrainingError, report_failure
from gate import Verdict
from lineage import code_digest, identify, python_version
from mlflow_account import take_account
from model_artifact import describe_model, library_versions
from registry import Candidate, Registration, register
from sklearn.tree import DecisionTreeClassifier
from splits import Splits, read_splits
from tracking import Run, tracked_run
from training import Folders, Training, read_training

CODE = Path(__file__).resolve().parent


def train(training: Training) -> None:
    """Train, evaluate, log and register one model. Raises TrainingError for what the user can act on."""
    splits = read_splits(training.folders.train, training.folders.validation, training.folders.test)
    identity = identify(
        code=code_digest(CODE),
        data=splits.digest,
        seed=training.seed,
        libraries={**library_versions(), "python": python_version()},
        search=training.search,
        hyperparameters=vars(training.hyperparameters),
    )
    lineage = training.lineage.tags()
    with tracked_run(
        training.tracking_uri, training.experiment, training.lineage.training_job, {**lineage, **identity.tags()}
    ) as run:
        classifier = fit(training, splits)
        metrics = selection_metrics(classifier, splits, training.seed)
        verdict = training.gate.judge(metrics)
        reported = {**metrics, **test_metrics(classifier, splits)}
        announce(reported, verdict)
        model_id = log(run, training, splits, classifier, reported, verdict)
        if verdict.tier is None:
            registration = Registration(None, False, verdict.reason)
        else:
            candidate = Candidate(
                model_name=training.model_name,
                model_id=model_id,
                run_id=run.run_id,
                identity=identity,
                accuracy=metrics["accuracy"],
                tier=verdict.tier,
                gate=verdict.reason,
                lineage=lineage,
            )
            registration = register(run.client, candidate, training.policy)
        run.log_registration(training.model_name, registration)
        print(f"registry: {describe_registration(training.model_name, registration)}", flush=True)


def fit(training: Training, splits: Splits) -> DecisionTreeClassifier:
    """Fit the tree on the train split: another model is another line here (and its types in model_artifact.py)."""
    classifier = DecisionTreeClassifier(random_state=training.seed, **vars(training.hyperparameters))
    return classifier.fit(splits.train.features, splits.train.labels)


def announce(metrics: dict[str, float], verdict: Verdict) -> None:
    """Print the metrics in the form that the tuning job's metric definitions read, and what the gate says."""
    for name, value in metrics.items():
        print(f"metric {name}={value:.6f};", flush=True)
    print(f"gate: {'passed' if verdict.passed else 'not passed'} ({verdict.reason})", flush=True)


def log(
    run: Run,
    training: Training,
    splits: Splits,
    classifier: DecisionTreeClassifier,
    metrics: dict[str, float],
    verdict: Verdict,
) -> str:
    """Log model, parameters, metrics, data and confusion matrix to the run; returns the model's id."""
    parameters = {**vars(training.hyperparameters), "seed": training.seed}
    folders = training.folders
    model_id = run.log_model(describe_model(classifier, splits.train), parameters, folders.model / "model")
    tags = {"gate": str(training.gate), "gate_reason": verdict.reason, "tier": verdict.tier or "none"}
    run.log_results(parameters, metrics, tags, model_id)
    run.log_splits(splits, training.data_source)
    folders.output_data.mkdir(parents=True, exist_ok=True)
    picture = folders.output_data / "confusion_matrix.png"
    draw_confusion_matrix(classifier, splits.validation, picture)
    run.client.log_artifact(run.run_id, str(picture))
    return model_id


def describe_registration(model_name: str, registration: Registration) -> str:
    """Say in one line what became of the model."""
    if registration.version is None:
        return f"not registered: {registration.reason}"
    verb = "registered as" if registration.added else "is already"
    return f"{verb} {model_name} version {registration.version} ({registration.reason})"


def main() -> int:
    """Run the job; the exit code is 0, or 1 after writing the reason where SageMaker looks for it."""
    # What the imports made stays: without this every full collection walks through it again, 0.2 s each time.
    gc.freeze()
    gc.enable()
    # SageMaker stops a job by SIGTERM and two minutes later by SIGKILL: time to close the run.
    signal.signal(signal.SIGTERM, _stop)
    output = Folders.from_environment(os.environ).output
    try:
        take_account(os.environ)
        train(read_training(sys.argv[1:], os.environ, CODE))
    except TrainingError as error:
        report_failure(str(error), output)
        print(f"Training failed: {error}", file=sys.stderr, flush=True)
        return 1
    except Exception as error:
        report_failure(f"{type(error).__name__}: {error}", output)
        raise
    return 0


def _stop(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
