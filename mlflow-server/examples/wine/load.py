"""Loading a model back from where it lies: the best of the experiment's runs, found by a query, read from S3.
A model URI may be the place itself (s3://…), the logged model (models:/m-…) or a registered one (models:/name@alias).
"""

from __future__ import annotations

import click
import mlflow
from experiment import EXPERIMENT
from mlflow import MlflowClient, MlflowException
from wines import FEATURES, TARGET, made


@click.command()
@click.option("--experiment", default=EXPERIMENT, show_default=True)
def main(experiment: str) -> None:
    """Print the best model's place, and its predictions for three wines."""
    uri = best_model(experiment)
    print(f"model: {uri}")
    model = mlflow.sklearn.load_model(uri)
    wines = made().head(3)
    for quality, predicted in zip(wines[TARGET], model.predict(wines[list(FEATURES)]), strict=True):
        print(f"quality {quality}, predicted {predicted:.2f}")


def best_model(experiment: str) -> str:
    """The URI of the folder that holds the model of the run with the smallest error."""
    found = MlflowClient().get_experiment_by_name(experiment)
    runs = [] if found is None else _by_error(found.experiment_id)
    for run in runs:
        for output in run.outputs.model_outputs if run.outputs else []:
            return str(MlflowClient().get_logged_model(output.model_id).artifact_location)
    raise click.ClickException(
        f"The experiment {experiment} has no run with a model: run `mlflow run . --experiment-name {experiment}` first."
    )


def _by_error(experiment_id: str) -> list[mlflow.entities.Run]:
    try:
        return list(MlflowClient().search_runs([experiment_id], "metrics.rmse > 0", order_by=["metrics.rmse ASC"]))
    except MlflowException as error:
        raise click.ClickException(f"The server did not give the runs: {error.message}") from error


if __name__ == "__main__":
    main()
