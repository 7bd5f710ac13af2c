"""The one error of a training job that its user can act on, and where SageMaker reads it from.
SageMaker shows the text of /opt/ml/output/failure as the job's FailureReason (first 1,024 characters)."""

from pathlib import Path


class TrainingError(Exception):
    """A mistake in the data, the settings or the surroundings; its text is one sentence for the person who must act."""


def report_failure(message: str, output_directory: Path) -> None:
    """Write the failure reason where the platform looks for it.

    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
    """
    output_directory.mkdir(parents=True, exist_ok=True)
    (output_directory / "failure").write_text(message, encoding="utf-8")
