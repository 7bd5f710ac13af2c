"""An experiment whose artifacts lie in a place of its own: clients write there themselves, with their own S3 key.
`python experiment.py --artifact-location s3://my-bucket/wine`, then `mlflow run . --experiment-name wine`
"""

from __future__ import annotations

import logging

import click
from mlflow import MlflowClient, MlflowException

# The plugin sagemaker-mlflow, where it is installed, takes every address for an ARN, and MLflow warns at each request.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)

EXPERIMENT = "wine"


@click.command()
@click.option("--name", default=EXPERIMENT, show_default=True)
@click.option("--artifact-location", default="s3://mlflow/wine", show_default=True, help="A bucket that is there.")
def main(name: str, artifact_location: str) -> None:
    """Create the experiment; one that has this location already stays as it is."""
    client = MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            identifier = client.create_experiment(name, artifact_location=artifact_location)
        except MlflowException as error:
            raise click.ClickException(
                f"{name} could not be created in {artifact_location}: {error.message}"
            ) from error
        found = client.get_experiment(identifier)
    if found.artifact_location != artifact_location:
        raise click.ClickException(
            f"The experiment {name} keeps its artifacts in {found.artifact_location}, and where they lie cannot be "
            f"changed: name another experiment with --name to have it in {artifact_location}."
        )
    print(f"experiment {name}: {found.artifact_location}")


if __name__ == "__main__":
    main()
